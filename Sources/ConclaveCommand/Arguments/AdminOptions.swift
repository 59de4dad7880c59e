import ConclaveNet
import KeyValue

/// What an operator asks of a cluster.
enum AdminAction: Equatable {
    case status
    case members
    case health
    case hash
    case snapshot
    case add(id: Int, address: SocketAddress, isLearner: Bool)
    case remove(id: Int)
    case promote(id: Int)
    case demote(id: Int)
    /// Several of these in one step, in the words of RAFT.NODE CHANGE.
    case change([String])
    /// Nil: to whichever server would be missed least.
    case transfer(to: Int?)
}

/// What `conclave status` and the other verbs for operators were asked to do.
struct AdminOptions: Equatable {
    /// Where `conclave cluster` listens if it is not told otherwise.
    static let defaultEndpoints: [SocketAddress] = [
        .loopback(port: 7001), .loopback(port: 7002), .loopback(port: 7003),
    ]

    var action: AdminAction
    /// The client addresses to ask. Nil: the default ones, and the members that the first one to answer knows.
    var endpoints: [SocketAddress]?
    var json = false
}

extension AdminOptions {
    init(_ verb: Verb, _ arguments: ScannedArguments) throws(UsageError) {
        action = try AdminAction(verb, arguments)
        json = arguments.has("--json")
        guard let text = arguments.values["--endpoints"] else {
            if let port = try arguments.integer("--port", in: 1...65535) {
                endpoints = [.loopback(port: UInt16(port))]
            }
            return
        }
        guard !arguments.has("--port") else {
            throw UsageError(message: "--endpoints and --port say both where to ask; give one of them", verb: verb)
        }
        var addresses: [SocketAddress] = []
        for item in text.split(separator: ",", omittingEmptySubsequences: false) {
            addresses.append(try parseAddress(item, what: "--endpoints", verb: verb))
        }
        endpoints = addresses
    }
}

extension AdminAction {
    fileprivate init(_ verb: Verb, _ arguments: ScannedArguments) throws(UsageError) {
        let words = arguments.words
        func id(_ place: Int) throws(UsageError) -> Int {
            try parseInteger(words[place], in: 1...Int(Int32.max), what: "the id", verb: verb)
        }
        let counts: ClosedRange<Int> =
            switch verb {
            case .add: 2...2
            case .remove, .promote, .demote: 1...1
            case .change: 2...Int.max
            case .transfer: 0...1
            default: 0...0
            }
        guard counts.contains(words.count) else {
            throw UsageError(message: "the words do not fit: \(verb.usage)", verb: verb)
        }
        switch verb {
        case .status: self = .status
        case .members: self = .members
        case .health: self = .health
        case .hash: self = .hash
        case .snapshot: self = .snapshot
        case .add:
            let address = try parseAddress(words[1], what: "the address", verb: verb)
            self = .add(id: try id(0), address: address, isLearner: arguments.has("--learner"))
        case .remove: self = .remove(id: try id(0))
        case .promote: self = .promote(id: try id(0))
        case .demote: self = .demote(id: try id(0))
        case .change:
            let request = RESPRequest((["RAFT.NODE", "CHANGE"] + words).map { Array($0.utf8) })
            do throws(ReplyError) { _ = try Command.parse(request) } catch {
                throw UsageError(message: "\(error.message): \(verb.usage)", verb: verb)
            }
            self = .change(words)
        case .transfer: self = .transfer(to: words.isEmpty ? nil : try id(0))
        case .cluster, .node, .client, .sim: preconditionFailure("'\(verb.rawValue)' is no verb of operators")
        }
    }
}
