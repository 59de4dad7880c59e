import ConclaveNet
import ConclaveSimulation
import RaftCore
import RaftLog

/// What the arguments ask for, with checked and typed values. Parsing touches nothing outside.
enum CommandLineRequest: Equatable {
    /// Print a help text; nil for the overview.
    case help(Verb?)
    case version
    case cluster(ClusterOptions)
    case node(NodeOptions)
    case client(ClientOptions)
    case simulate(SimulateOptions)
    case admin(AdminOptions)

    /// Reads the arguments after the program's name.
    /// - Throws: `UsageError` with a message that says what to do instead.
    init(arguments: [String]) throws(UsageError) {
        guard let first = arguments.first else {
            throw UsageError(message: "say what to do: 'conclave cluster' starts three servers")
        }
        let rest = Array(arguments.dropFirst())
        switch first {
        case "--help", "-h", "help":
            self = .help(rest.first.flatMap(Verb.init))
        case "--version":
            self = .version
        default:
            guard let verb = Verb(rawValue: first) else { throw Self.unknownVerb(first) }
            self = try Self.parse(verb, rest)
        }
    }

    private static func unknownVerb(_ word: String) -> UsageError {
        let known = Verb.allCases.map(\.rawValue)
        let hint =
            closestSpelling(to: word, among: known + ["--help", "--version"]).map { "did you mean '\($0)'?" }
            ?? "choose one of: \(known.joined(separator: ", "))"
        let kind = word.hasPrefix("-") ? "option" : "verb"
        return UsageError(message: "there is no \(kind) '\(word)'; \(hint)")
    }

    private static func parse(_ verb: Verb, _ arguments: [String]) throws(UsageError) -> Self {
        let scanned = try ScannedArguments(arguments, verb: verb, wordsEndOptions: verb == .client)
        if scanned.has("--help") { return .help(verb) }
        if [.cluster, .node, .sim].contains(verb), let word = scanned.words.first {
            throw UsageError(message: "'\(word)' is one word too many: options begin with --", verb: verb)
        }
        return switch verb {
        case .cluster: .cluster(try ClusterOptions(scanned))
        case .node: .node(try NodeOptions(scanned))
        case .client: .client(try ClientOptions(scanned))
        case .sim: .simulate(try SimulateOptions(scanned))
        case .status, .members, .add, .remove, .promote, .demote, .change, .transfer, .snapshot, .health, .hash:
            .admin(try AdminOptions(verb, scanned))
        }
    }
}

private let portRange = 1...65535

extension ClusterOptions {
    fileprivate init(_ arguments: ScannedArguments) throws(UsageError) {
        self.init()
        try refuseOpenAddress(arguments.values["--host"], what: "--host", verb: .cluster)
        nodes = try arguments.integer("--nodes", in: Self.nodeRange) ?? nodes
        let highestBase = portRange.upperBound - Self.peerPortOffset - nodes + 1
        basePort = try arguments.integer("--port", in: 1...highestBase) ?? basePort
        dataDirectory = arguments.values["--data"] ?? dataDirectory
        leaseDriftPercent = try arguments.integer("--lease-reads", in: leaseDriftRange)
        json = arguments.has("--json")
    }
}

extension NodeOptions {
    fileprivate init(_ arguments: ScannedArguments) throws(UsageError) {
        _ = try arguments.required("--id")
        let number = try arguments.integer("--id", in: 1...Int(Int32.max))!
        let id = NodeID(UInt64(number))
        let (peers, join) = try Self.parseCluster(arguments, id)
        try refuseOpenAddress(arguments.values["--host"], what: "--host", verb: .node)
        _ = try arguments.required("--client-port")
        let clientPort = UInt16(try arguments.integer("--client-port", in: portRange)!)
        if join != nil { _ = try arguments.required("--peer-port") }
        let own = peers.first { $0.id == id }?.port ?? 0
        let peerPort = try arguments.integer("--peer-port", in: portRange).map(UInt16.init) ?? own
        guard clientPort != peerPort else {
            throw UsageError(message: "--client-port and the peer port are both \(clientPort); choose two", verb: .node)
        }
        self.init(
            id: id,
            peers: peers,
            clientPort: clientPort,
            peerPort: peerPort,
            dataDirectory: try arguments.required("--data")
        )
        self.join = join
        if let text = arguments.values["--cluster-id"] {
            guard let parsed = ClusterID(hex: text) else {
                throw UsageError(message: "--cluster-id: '\(text)' is not 32 hexadecimal digits", verb: .node)
            }
            clusterID = parsed
        }
        leaseDriftPercent = try arguments.integer("--lease-reads", in: leaseDriftRange)
        json = arguments.has("--json")
        untilStdinCloses = arguments.has("--until-stdin-closes")
    }

    /// The servers that the cluster begins with, or where to find one that is there.
    private static func parseCluster(
        _ arguments: ScannedArguments,
        _ id: NodeID
    ) throws(UsageError) -> (peers: [NodePeer], join: SocketAddress?) {
        if let text = arguments.values["--join"] {
            guard !arguments.has("--peers") else {
                throw UsageError(
                    message: "--peers founds a cluster and --join joins one; give one of them",
                    verb: .node
                )
            }
            return ([], try parseAddress(text, what: "--join", verb: .node))
        }
        let peers = try parsePeers(try arguments.required("--peers"))
        guard peers.contains(where: { $0.id == id }) else {
            let known = peers.map { String($0.id.rawValue) }.joined(separator: ", ")
            throw UsageError(
                message: "--id \(id.rawValue) is not in --peers, which has \(known); list this server too",
                verb: .node
            )
        }
        return (peers, nil)
    }

    /// Reads `1=127.0.0.1:7101,2=127.0.0.1:7102`.
    private static func parsePeers(_ text: String) throws(UsageError) -> [NodePeer] {
        var peers: [NodePeer] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            let peer = try parsePeer(item)
            if peers.contains(where: { $0.id == peer.id }) {
                throw UsageError(message: "--peers lists server \(peer.id.rawValue) twice", verb: .node)
            }
            if peers.contains(where: { $0.port == peer.port }) {
                throw UsageError(message: "--peers gives port \(peer.port) to two servers", verb: .node)
            }
            peers.append(peer)
        }
        guard ClusterOptions.nodeRange.contains(peers.count) else {
            let most = ClusterOptions.nodeRange.upperBound
            throw UsageError(
                message: "--peers lists \(peers.count) servers; at most \(most) are supported",
                verb: .node
            )
        }
        return peers.sorted { $0.id < $1.id }
    }

    private static func parsePeer(_ item: Substring) throws(UsageError) -> NodePeer {
        let sides = item.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard sides.count == 2, let colon = sides[1].lastIndex(of: ":") else {
            throw UsageError(
                message: "--peers: '\(item)' is not of the form ID=HOST:PORT, as in 1=127.0.0.1:7101",
                verb: .node
            )
        }
        let id = try parseInteger(sides[0], in: 1...Int(Int32.max), what: "--peers, the id in '\(item)'", verb: .node)
        let host = String(sides[1][..<colon])
        try refuseOpenAddress(host, what: "--peers", verb: .node)
        let portText = sides[1][sides[1].index(after: colon)...]
        let port = try parseInteger(portText, in: portRange, what: "--peers, the port in '\(item)'", verb: .node)
        return NodePeer(id: NodeID(UInt64(id)), host: host, port: UInt16(port))
    }
}

extension ClientOptions {
    fileprivate init(_ arguments: ScannedArguments) throws(UsageError) {
        self.init()
        host = arguments.values["--host"] ?? host
        port = try arguments.integer("--port", in: portRange).map(UInt16.init) ?? port
        resp3 = arguments.has("--resp3")
        command = arguments.words
    }
}

extension SimulateOptions {
    fileprivate init(_ arguments: ScannedArguments) throws(UsageError) {
        self.init()
        firstSeed = try arguments.integer("--seed", in: 0...Int.max).map { UInt64($0) } ?? firstSeed
        if let count = try arguments.integer("--runs", in: 0...1_000_000_000) { runs = count == 0 ? nil : count }
        if let text = arguments.values["--minutes"] {
            guard let number = Double(text), (0.01...1_440).contains(number) else {
                throw UsageError(
                    message: "--minutes: '\(text)' is no number of minutes; give one from 0.01 to 1440",
                    verb: .sim
                )
            }
            minutes = number
        }
        nodes = try arguments.integer("--nodes", in: ClusterOptions.nodeRange) ?? nodes
        if let name = arguments.values["--profile"] {
            guard let known = FaultProfile(rawValue: name) else {
                let names = FaultProfile.allCases.map(\.rawValue).joined(separator: ", ")
                throw UsageError(message: "--profile: there is no '\(name)'; choose one of: \(names)", verb: .sim)
            }
            profile = known
        }
        plan = arguments.values["--plan"]
        isRepeated = arguments.has("--twice")
        scenario = arguments.values["--scenario"]
        plantsBugs = arguments.has("--planted")
        guard let directory = arguments.values["--scenarios"] else { return }
        guard plantsBugs else {
            throw UsageError(
                message: "--scenarios: only with --planted; to play a scenario, say --scenario FILE",
                verb: .sim
            )
        }
        scenarioDirectory = directory
    }
}

/// Reads `127.0.0.1:7001`.
func parseAddress(_ text: some StringProtocol, what: String, verb: Verb) throws(UsageError) -> SocketAddress {
    do {
        return try SocketAddress(String(text))
    } catch {
        throw UsageError(message: "\(what): \(error)", verb: verb)
    }
}

/// There are no secrets yet: whoever can reach a port can read and change everything.
private func refuseOpenAddress(_ host: String?, what: String, verb: Verb) throws(UsageError) {
    guard let host, host != "127.0.0.1" else { return }
    throw UsageError(
        message: """
            \(what): servers listen on 127.0.0.1 only, not on '\(host)'. There are no passwords and no encryption yet, \
            so on any other address everybody on the network could read and change the data
            """,
        verb: verb
    )
}
