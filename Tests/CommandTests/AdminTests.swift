import ConclaveRaft
import ConclaveSimulation
import Foundation
import KeyValue
import RaftCore
import Testing

@testable import ConclaveCommand

@Suite("Verbs for operators", .timeLimit(.minutes(1)), .serialized)
struct AdminTests {
    /// The objects of a verb's `--json` output, by one of their members.
    private func objects(_ outcome: AdminCluster.Outcome) throws -> [[String: String]] {
        try outcome.lines.map { line in
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            return try #require(object).mapValues { "\($0)" }
        }
    }

    @Test("status: a row for each server with etcdctl's columns, one of them the leader; for people and for programs")
    func status() async throws {
        let cluster = try AdminCluster(3)
        let leader = await cluster.leader()
        let people = await cluster.conclave("status")
        #expect(people.code == .success && people.lines.count == 4)
        let titles = "ENDPOINT ID VERSION SIZE LEADER LEARNER TERM INDEX APPLIED ERRORS"
        #expect(people.lines[0].split(separator: " ").joined(separator: " ") == titles)
        let programs = await cluster.conclave("status", "--json")
        let rows = try objects(programs)
        #expect(programs.code == .success && rows.map { $0["id"] } == ["1", "2", "3"])
        for row in rows {
            #expect(row["endpoint"] == cluster.clientAddress(NodeID(UInt64(row["id"] ?? "0") ?? 0)))
            #expect(row["version"] == conclaveVersion && row["errors"] == nil && row["size"] != nil)
            #expect(UInt64(row["term"] ?? "") ?? 0 >= 1 && UInt64(row["applied"] ?? "") ?? 0 >= 1)
        }
        // Foundation reads a truth value as a number: 1 and 0 where it is printed.
        let leaders = programs.lines.filter { $0.contains("\"leader\":true") }
        #expect(leaders.count == 1 && leaders[0].contains("\"id\":\(leader.rawValue),"))
        await cluster.shutdown()
    }

    @Test("members, health, hash and snapshot: the happy path of each, for people and for programs")
    func questions() async throws {
        let cluster = try AdminCluster(3)
        _ = await cluster.leader()
        let members = await cluster.conclave("members", "--json")
        let rows = try objects(members)
        #expect(members.code == .success && rows.map { $0["id"] } == ["1", "2", "3"])
        for (row, id) in zip(rows, cluster.founders) {
            #expect(row["standing"] == "voter" && row["peer_address"] == cluster.peerAddress(id))
            #expect(row["client_address"] == cluster.clientAddress(id) && row["incarnation"]?.isEmpty == false)
        }
        for verb in ["members", "health", "hash", "snapshot"] {
            var people = await cluster.conclave(verb)
            // An entry of the leader's own may be under way to some of them.
            for _ in 0..<100 where people.code != .success { people = await cluster.conclave(verb) }
            #expect(people.code == .success && people.lines.count == 4 && people.error.isEmpty, "\(verb): \(people)")
            #expect(try objects(await cluster.conclave(verb, "--json")).count == 3)
        }
        let health = await cluster.conclave("health", "--json")
        #expect(health.lines.allSatisfy { $0.contains("\"health\":true") })
        let hashes = try objects(await cluster.conclave("hash", "--json"))
        #expect(Set(hashes.map { $0["hash"] }).count == 1 && hashes.allSatisfy { $0["hash"]?.count == 16 })
        await cluster.shutdown()
    }

    @Test("add, promote, transfer and remove through a follower: done, refused with the reason and code 1, done again")
    func orders() async throws {
        let cluster = try AdminCluster(3, others: 1)
        let leader = await cluster.leader()
        let follower = try #require(cluster.founders.first { $0 != leader })
        let endpoints = [cluster.clientAddress(follower)]
        func order(_ words: String...) async -> AdminCluster.Outcome {
            // Another election is no failure of what is tested here.
            for _ in 0..<100 {
                let outcome = await cluster.conclave(words: words, endpoints: endpoints)
                let passing = ["not the leader", "in progress", "handed over", "CLUSTERDOWN"]
                if !passing.contains(where: outcome.error.contains) { return outcome }
            }
            return AdminCluster.Outcome(code: .software, error: "it never came to a leader")
        }
        let address = cluster.peerAddress(NodeID(4))
        #expect(await order("transfer", "4").error.contains("no member has this id"))
        #expect(await order("promote", "4").code == .errorReply)
        #expect(await order("remove", "4").error.contains("no member has this id"))

        let added = await order("add", "4", address, "--learner")
        #expect(added.code == .success && added.output == "done\n", "\(added)")
        #expect(await order("add", "4", address).error.contains("a member has this id already"))
        #expect(await order("add", "5", address).error.contains("another member has this address"))
        #expect(await order("transfer", "4").error.contains("the target is no voter"))
        let promoted = await order("promote", "4", "--json")
        #expect(promoted.code == .success && promoted.output == "{\"done\":true}\n", "\(promoted)")
        #expect(await order("promote", "4").error.contains("a voter already"))
        #expect(await order("transfer", "4").code == .success)
        #expect(cluster.status(NodeID(4)).role == .leader)
        #expect(await order("transfer").code == .success)
        #expect(cluster.status(NodeID(4)).role != .leader)
        #expect(await order("demote", "4").output == "done\n")
        #expect(await order("demote", "4").error.contains("a learner already"))
        let changed = await order("change", "promote", "4", "demote", "\(leader.rawValue)")
        #expect(changed.output == "done\n", "\(changed)")
        while !cluster.status(follower).voters.contains(NodeID(4)) { await Task.yield() }
        #expect(await order("change", "promote", "\(leader.rawValue)", "remove", "4").output == "done\n")
        #expect(try objects(await cluster.conclave("members", "--json", endpoints: endpoints)).count == 3)
        await cluster.shutdown()
    }

    @Test(
        "a server that is down has a row that says so, and the code is 1; when all are, it is 69 and nothing is printed"
    )
    func unreachable() async throws {
        let cluster = try AdminCluster(3)
        _ = await cluster.leader()
        // Port 1 is reserved, and nobody listens there.
        let endpoints = [cluster.clientAddress(NodeID(1)), "127.0.0.1:1"]
        for verb in ["status", "health", "hash", "snapshot"] {
            let outcome = await cluster.conclave(verb, "--json", endpoints: endpoints)
            #expect(outcome.code == .errorReply && outcome.lines.count == 2, "\(verb): \(outcome)")
            #expect(outcome.lines[1].contains("127.0.0.1:1") && outcome.lines[1].contains("\"errors\":\""))
        }
        // One that answers is enough.
        #expect(await cluster.conclave("members", endpoints: ["127.0.0.1:1", endpoints[0]]).code == .success)
        for words in [
            ["status"], ["members"], ["health"], ["hash"], ["snapshot"], ["add", "4", "127.0.0.1:9"], ["remove", "1"],
            ["promote", "1"], ["demote", "1"], ["change", "remove", "1"], ["transfer"],
        ] {
            let outcome = AdminCluster.run(words + ["--endpoints", "127.0.0.1:1"])
            #expect(outcome.code == .unavailable && outcome.output.isEmpty, "\(words): \(outcome)")
            #expect(outcome.error.contains("127.0.0.1:1"))
        }
        await cluster.shutdown()
    }

    @Test("without a leader, questions are answered with what is wrong, and orders are refused, all with code 1")
    func noLeader() async throws {
        let cluster = try AdminCluster(3)
        let leader = await cluster.leader()
        for id in cluster.founders where id != leader { await cluster.stop(id) }
        while cluster.status(leader).leader != nil { await Task.yield() }
        let endpoints = [cluster.clientAddress(leader)]
        let health = await cluster.conclave("health", "--json", endpoints: endpoints)
        #expect(health.code == .errorReply && health.output.contains("no leader is known"))
        #expect(await cluster.conclave("status", endpoints: endpoints).output.contains("no leader is known"))
        #expect(await cluster.conclave("members", endpoints: endpoints).code == .success)
        for order in ["remove", "promote", "transfer"] {
            let outcome = await cluster.conclave(order, "2", endpoints: endpoints)
            #expect(outcome.code == .errorReply && outcome.error.contains("CLUSTERDOWN"), "\(order): \(outcome)")
        }
        await cluster.shutdown()
    }

    @Test(
        "an order that may have been done is not repeated on the next server: it is unknown, with code 4; a question is",
        arguments: [nil, "-TIMEOUT no answer\r\n", "-UNKNOWN stopped\r\n"]
    )
    func unknownOutcome(reply: String?) throws {
        let (odd, next) = (try OddServer(answering: reply), try OddServer(answering: "+OK\r\n"))
        defer {
            odd.stop()
            next.stop()
        }
        let endpoints = ["--endpoints", "127.0.0.1:1,\(odd.address),\(next.address)"]
        for words in [
            ["add", "4", "127.0.0.1:9"], ["remove", "1"], ["promote", "1"], ["demote", "1"], ["change", "remove", "1"],
            ["transfer"],
        ] {
            let outcome = AdminCluster.run(words + endpoints)
            #expect(outcome.code == .unknownOutcome && outcome.output.isEmpty, "\(words): \(outcome)")
            #expect(outcome.error.hasPrefix("unknown") && outcome.error.contains("conclave status"), "\(outcome)")
        }
        #expect(next.heard.isEmpty)
        _ = AdminCluster.run(["members"] + endpoints)
        #expect(odd.heard.count == 7 && next.heard.count == (reply == nil ? 1 : 0))
    }

    @Test(
        "words that make no sense end with code 64, before anybody is asked",
        arguments: [
            ("status now", "the words do not fit"), ("members 1", "the words do not fit"),
            ("health x", "the words do not fit"), ("hash x", "the words do not fit"),
            ("snapshot 1", "the words do not fit"), ("add", "the words do not fit"), ("add 4", "the words do not fit"),
            ("add 4 127.0.0.1:1 5", "the words do not fit"), ("remove", "the words do not fit"),
            ("remove 1 2", "the words do not fit"), ("demote", "the words do not fit"),
            ("change", "the words do not fit"), ("change remove x", "not an integer"),
            ("change remove 1 promote", "wrong number of arguments"), ("change transfer 1", "syntax error"),
            ("change add 4 nowhere", "nowhere"), ("promote", "the words do not fit"),
            ("transfer 1 2", "the words do not fit"), ("add x 127.0.0.1:1", "the id: 'x'"),
            ("add 4 nowhere", "the address"), ("add 4 127.0.0.1:99999", "the address"), ("remove 0", "the id: '0'"),
            ("promote -3", "no option -3"), ("transfer 99999999999", "the id: '99999999999'"),
            ("remove é", "the id: 'é'"), ("status --learner", "no option --learner"),
            ("status --endpoints", "needs a value"), ("status --endpoints 127.0.0.1:1,", "--endpoints"),
            ("status --endpoints 127.0.0.1:1 --port 1", "give one of them"), ("health --port 0", "from 1 to 65535"),
            ("hash --json=yes", "takes no value"), ("promote 1 --json --json", "given twice"),
        ]
    )
    func usage(line: String, expected: String) {
        let outcome = AdminCluster.run(line.split(separator: " ").map(String.init))
        #expect(outcome.code == .usage && outcome.output.isEmpty)
        #expect(outcome.error.contains(expected) && outcome.error.contains("--help' for the details"), "\(outcome)")
    }

    @Test("garbage sent as RAFT commands is answered with errors; the server goes on, its members unchanged")
    func garbage() async throws {
        let cluster = try AdminCluster(1)
        _ = await cluster.leader()
        let address = cluster.clientAddress(NodeID(1)).split(separator: ":")
        let port = try #require(UInt16(address[1]))
        let before = cluster.status(NodeID(1)).configuration
        var random = SeededRun("CONCLAVE_SEED", test: "AdminTests").generator
        let requests = (0..<400).map { Self.garbage(round: $0, &random) }
        let replies = try await onOwnThread {
            var connection = try ClientConnection.open(ClientOptions(port: port, resp3: true))
            return try requests.map { try connection.ask($0) } + [try connection.ask(["PING"])]
        }
        #expect(replies.last == .simple("PONG"))
        for (words, reply) in zip(requests, replies) {
            guard case .failure(let error) = reply else {
                Issue.record("\(words.map(\.count)): \(reply)")
                continue
            }
            // One line, and not a long one, however the words looked.
            #expect(!error.message.utf8.contains { $0 == 10 || $0 == 13 } && error.message.utf8.count < 1_000)
        }
        #expect(cluster.status(NodeID(1)).configuration == before)
        await cluster.shutdown()
    }

    private static func garbage(round: Int, _ random: inout SimulationRandom) -> [[UInt8]] {
        let names = ["RAFT.NODE", "RAFT.TRANSFER_LEADER", "RAFT.SNAPSHOT", "RAFT.INFO", "RAFT.HASH"]
        var words = [Array(names[Int.random(in: names.indices, using: &random)].utf8)]
        // A subcommand now and then, so that the garbage gets further.
        if round % 3 == 0 {
            words = ["RAFT.NODE", ["ADD", "REMOVE", "PROMOTE"][round / 3 % 3]].map { Array($0.utf8) }
        }
        for _ in 0..<Int.random(in: 1...5, using: &random) {
            let size = round % 50 == 0 ? 300_000 : Int.random(in: 0...20, using: &random)
            words.append((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        return words
    }
}
