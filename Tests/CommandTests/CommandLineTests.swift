import ConclaveSimulation
import RaftCore
import RaftLog
import Testing

@testable import ConclaveCommand

@Suite("The command line")
struct CommandLineTests {
    @Test(
        "reads each verb with its options",
        arguments: [
            (["--help"], .help(nil)),
            (["-h"], .help(nil)),
            (["help", "node"], .help(.node)),
            (["--version"], .version),
            (["cluster", "--help"], .help(.cluster)),
            (["cluster"], .cluster(ClusterOptions())),
            (
                ["cluster", "--nodes", "5", "--port=8001", "-d", "there", "--json"],
                .cluster(ClusterOptions(nodes: 5, basePort: 8001, dataDirectory: "there", json: true))
            ),
            (["cluster", "--host", "127.0.0.1"], .cluster(ClusterOptions())),
            (["cluster", "--lease-reads", "5"], .cluster(ClusterOptions(leaseDriftPercent: 5))),
            (["client"], .client(ClientOptions())),
            (
                ["client", "-h", "::1", "-p", "7002", "--resp3", "SET", "a", "--port", "-1"],
                .client(
                    ClientOptions(host: "::1", port: 7002, resp3: true, command: ["SET", "a", "--port", "-1"])
                )
            ),
            (
                ["sim", "--planted", "--scenarios", "there"],
                .simulate(SimulateOptions(plantsBugs: true, scenarioDirectory: "there"))
            ),
            (["client", "--", "-x"], .client(ClientOptions(command: ["-x"]))),
        ] as [([String], CommandLineRequest)]
    )
    func readsVerbs(arguments: [String], expected: CommandLineRequest) throws {
        #expect(try CommandLineRequest(arguments: arguments) == expected)
    }

    @Test("reads a server's options and sorts its peers")
    func readsNode() throws {
        let text = "node --id 2 --peers 2=127.0.0.1:9002,1=127.0.0.1:9001 --client-port 8002 --data d"
        let request = try CommandLineRequest(arguments: text.split(separator: " ").map(String.init))
        let peers = [(1, 9001), (2, 9002)].map { NodePeer(id: NodeID($0.0), host: "127.0.0.1", port: $0.1) }
        #expect(
            request
                == .node(
                    NodeOptions(id: NodeID(2), peers: peers, clientPort: 8002, peerPort: 9002, dataDirectory: "d")
                )
        )
    }

    @Test(
        "says what to do when the arguments make no sense",
        arguments: [
            ("", "'conclave cluster' starts three servers"),
            ("clutser", "did you mean 'cluster'?"),
            ("frobnicate", "choose one of: cluster, node, client"),
            ("--versoin", "did you mean '--version'?"),
            ("cluster extra", "one word too many"),
            ("cluster --prot 1", "did you mean --port?"),
            ("cluster --port", "--port needs a value: --port PORT"),
            ("cluster --port --json", "--port needs a value"),
            ("cluster --port=", "not empty"),
            ("sim --scenarios there", "--scenarios: only with --planted; to play a scenario, say --scenario FILE"),
            ("cluster --port x", "give one from 1 to 65433"),
            ("cluster --port -1", "give one from 1 to 65433"),
            ("cluster --port 65434", "give one from 1 to 65433"),
            ("cluster --nodes 0", "give one from 1 to 9"),
            ("cluster --nodes 99999999999999999999", "give one from 1 to 9"),
            ("cluster --json --json", "given twice"),
            ("cluster --json=yes", "takes no value"),
            ("cluster --host 0.0.0.0", "no passwords"),
            ("cluster --lease-reads 0", "give one from 1 to 50"),
            ("cluster --lease-reads", "needs a value: --lease-reads PERCENT"),
            ("node", "needs --id N"),
            ("node --id 1", "needs --peers LIST"),
            ("node --id 3 --peers 1=127.0.0.1:1", "list this server too"),
            ("node --id 1 --peers 1=127.0.0.1:1", "needs --client-port PORT"),
            ("node --id 1 --peers 1=127.0.0.1:1 --client-port 1", "choose two"),
            ("node --id 1 --peers 1=127.0.0.1:1 --client-port 2", "needs --data DIR"),
            ("node --id 1 --peers 1=127.0.0.1:1 --client-port 2 --data d --host ::", "no passwords"),
            ("node --id 1 --peers 1=127.0.0.1:1 --client-port 2 --data d --cluster-id zz", "32 hexadecimal"),
            ("node --id 1 --peers 1", "form ID=HOST:PORT"),
            ("node --id 1 --peers 1=127.0.0.1:1,", "form ID=HOST:PORT"),
            ("node --id 1 --peers 1=10.0.0.1:1", "127.0.0.1 only, not on '10.0.0.1'"),
            ("node --id 1 --peers 1=127.0.0.1:0", "give one from 1 to 65535"),
            ("node --id 1 --peers 0=127.0.0.1:1", "the id in '0=127.0.0.1:1'"),
            ("node --id 1 --peers 1=127.0.0.1:1,1=127.0.0.1:2", "lists server 1 twice"),
            ("node --id 1 --peers 1=127.0.0.1:1,2=127.0.0.1:1", "gives port 1 to two servers"),
            ("client -p 0", "give one from 1 to 65535"),
        ]
    )
    func refuses(line: String, expected: String) {
        let error = #expect(throws: UsageError.self) {
            try CommandLineRequest(arguments: line.split(separator: " ").map(String.init))
        }
        let text = error?.description ?? ""
        #expect(text.contains(expected))
        #expect(text.contains("--help' for the details"))
    }

    @Test("the launcher's arguments for a server mean what the plan says", arguments: ClusterOptions.nodeRange)
    func planRoundTrip(nodes: Int) throws {
        let drift = nodes == 3 ? 5 : nil
        let options = ClusterOptions(
            nodes: nodes,
            basePort: 8001,
            dataDirectory: "-odd = name",
            leaseDriftPercent: drift
        )
        let plan = ClusterPlan(options, clusterID: ClusterID(high: 1, low: .max))
        #expect(plan.servers.count == nodes)
        for server in plan.servers {
            guard case .node(let node) = try CommandLineRequest(arguments: plan.arguments(for: server)) else {
                Issue.record("not a node request")
                continue
            }
            #expect(node.id == server.id)
            #expect(node.clientPort == server.clientPort)
            #expect(node.peerPort == server.peerPort)
            #expect(node.dataDirectory == "-odd = name/node-\(server.id.rawValue)")
            #expect(node.clusterID == plan.clusterID)
            #expect(node.peers.map(\.port) == plan.servers.map(\.peerPort))
            #expect(node.leaseDriftPercent == drift)
            #expect(node.json && node.untilStdinCloses)
        }
    }

    @Test("each option is in the help of its verb", arguments: Verb.allCases)
    func helpIsComplete(verb: Verb) {
        let text = HelpText.text(for: verb)
        for option in verb.options { #expect(text.contains("  \(option.synopsis)  ")) }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 120 })
        #expect(HelpText.overview.contains(verb.summary))
    }

    @Test("a cluster id is 32 hexadecimal digits, no more and no less")
    func clusterID() {
        let text = "00000000000000010123456789abcdef"
        #expect(ClusterID(hex: text)?.description == text)
        #expect(ClusterID(hex: text.uppercased())?.description == text)
        for bad in ["", "0", text + "0", String(text.dropLast()), "+" + text.dropFirst(), "é" + text.dropFirst(2)] {
            #expect(ClusterID(hex: bad) == nil, "\(bad)")
        }
    }

    @Test("arguments at random are understood or refused with a message, and never crash")
    func fuzz() {
        let run = SeededRun("COMMAND_SEED", test: "CommandTests.CommandLineTests/fuzz")
        var generator = run.generator
        let vocabulary =
            Verb.allCases.flatMap { verb in [verb.rawValue] + verb.options.flatMap { [$0.name, $0.short ?? "-"] } }
            + [
                "--", "-", "", "=", "--port=", "--port=1", "1", "7001", "-1", "é", "\u{0}", "1=127.0.0.1:7101", "d,",
                "🧑‍🚀",
            ]
        var understood = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 0...8, using: &generator)
            let arguments = (0..<count).map { _ in
                let word = vocabulary.randomElement(using: &generator)!
                return Int.random(in: 0..<10, using: &generator) == 0 ? scrambled(word, using: &generator) : word
            }
            do throws(UsageError) {
                _ = try CommandLineRequest(arguments: arguments)
                understood += 1
            } catch {
                #expect(!error.message.isEmpty, "\(arguments)")
            }
        }
        #expect(understood > 100)
    }

    private func scrambled(_ word: String, using generator: inout SimulationRandom) -> String {
        var characters = Array(word)
        for _ in 0..<Int.random(in: 0...3, using: &generator) {
            let alphabet = "-=:,.0129azé\u{301}\u{0}"
            let position = Int.random(in: 0...characters.count, using: &generator)
            characters.insert(alphabet.randomElement(using: &generator)!, at: position)
        }
        characters.shuffle(using: &generator)
        return String(characters)
    }
}
