import ConclaveRaft
import KeyValue
import RaftCore
import Testing

@Suite("RAFT.NODE and the other commands of operators")
struct ClusterCommandTests {
    private static func error(_ words: [UInt8]...) -> String? { error(RESPRequest(words)) }

    private static func error(_ request: RESPRequest) -> String? {
        do throws(ReplyError) {
            _ = try Command.parse(request)
            return nil
        } catch { return error.message }
    }

    @Test("each is read, in any case of letters")
    func happy() throws {
        let four = NodeID(4)
        let cases: [(RESPRequest, Command.Cluster)] = [
            (request("raft.node"), .members), (request("RAFT.NODE", "List"), .members),
            (
                request("RAFT.NODE", "ADD", "4", "127.0.0.1:7104"),
                .administrate(.add(MemberRecord(four, peerAddress: "127.0.0.1:7104", isToBePromoted: true)))
            ),
            (
                request("RAFT.NODE", "add", "4", "127.0.0.1:7104", "learner"),
                .administrate(.add(MemberRecord(four, peerAddress: "127.0.0.1:7104")))
            ),
            (request("RAFT.NODE", "REMOVE", "4"), .administrate(.remove(four))),
            (request("RAFT.NODE", "promote", "4"), .administrate(.promote(four))),
            (request("RAFT.NODE", "Demote", "4"), .administrate(.demote(four))),
            (
                request("RAFT.NODE", "CHANGE", "add", "4", "127.0.0.1:7104", "LEARNER", "ADD", "5", "127.0.0.1:7105"),
                .administrate(
                    .change([
                        .add(MemberRecord(four, peerAddress: "127.0.0.1:7104")),
                        .add(MemberRecord(NodeID(5), peerAddress: "127.0.0.1:7105", isToBePromoted: true)),
                    ])
                )
            ),
            (
                request("RAFT.NODE", "CHANGE", "REMOVE", "1", "promote", "4", "DEMOTE", "2"),
                .administrate(.change([.remove(NodeID(1)), .promote(four), .demote(NodeID(2))]))
            ),
            (request("RAFT.TRANSFER_LEADER"), .administrate(.transferLeadership(to: nil))),
            (request("RAFT.TRANSFER_LEADER", "4"), .administrate(.transferLeadership(to: four))),
            (request("RAFT.SNAPSHOT"), .snapshot), (request("RAFT.INFO"), .info), (request("RAFT.HASH"), .hash),
        ]
        for (request, expected) in cases { #expect(try Command.parse(request) == .cluster(expected)) }
        #expect(try Command.parse(request("RAFT.NODE", "HELP")) == .help(.node))
    }

    @Test("the wrong number of words is refused, each with the command's name")
    func wordCounts() {
        let cases: [(RESPRequest, String)] = [
            (request("RAFT.NODE", "LIST", "x"), "raft.node|list"),
            (request("RAFT.NODE", "ADD"), "raft.node|add"), (request("RAFT.NODE", "ADD", "4"), "raft.node|add"),
            (request("RAFT.NODE", "ADD", "4", "127.0.0.1:1", "LEARNER", "x"), "raft.node|add"),
            (request("RAFT.NODE", "REMOVE"), "raft.node|remove"),
            (request("RAFT.NODE", "REMOVE", "1", "2"), "raft.node|remove"),
            (request("RAFT.NODE", "PROMOTE"), "raft.node|promote"),
            (request("RAFT.NODE", "DEMOTE"), "raft.node|demote"),
            (request("RAFT.NODE", "CHANGE"), "raft.node|change"),
            (request("RAFT.NODE", "CHANGE", "REMOVE"), "raft.node|change"),
            (request("RAFT.NODE", "CHANGE", "REMOVE", "1", "ADD", "4"), "raft.node|change"),
            (request("RAFT.TRANSFER_LEADER", "1", "2"), "raft.transfer_leader"),
            (request("RAFT.SNAPSHOT", "x"), "raft.snapshot"), (request("RAFT.INFO", "x"), "raft.info"),
            (request("RAFT.HASH", "x"), "raft.hash"),
        ]
        for (request, name) in cases {
            #expect(Self.error(request) == "wrong number of arguments for '\(name)' command")
        }
    }

    @Test("ids, addresses and words that make no sense are refused, also if they are no text or very long")
    func senseless() {
        let number = "value is not an integer or out of range"
        for id in ["x", "", "1.5", "٣", "99999999999999999999", " 1"] {
            #expect(Self.error(request("RAFT.NODE", "REMOVE", id)) == number, "\(id)")
            #expect(Self.error(request("RAFT.TRANSFER_LEADER", id)) == number, "\(id)")
        }
        for id in ["0", "-1", "2147483648"] {
            #expect(Self.error(request("RAFT.NODE", "PROMOTE", id)) == "a server's id is at least 1")
        }
        let long = String(repeating: "a", count: 1 << 20)
        for address in ["", "x", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":1", long, long + ":1"] {
            let message = Self.error(request("RAFT.NODE", "ADD", "4", address)) ?? ""
            #expect(!message.isEmpty && message.utf8.count < 500, "\(address.prefix(40)): \(message.prefix(200))")
        }
        #expect(Self.error(request("RAFT.NODE", "ADD", "4", "127.0.0.1:1", "VOTER")) == "syntax error")
        #expect(Self.error(request("RAFT.NODE", "CHANGE", "TRANSFER", "1")) == "syntax error")
        #expect(Self.error(request("RAFT.NODE", "CHANGE", "REMOVE", "1", "2")) == "syntax error")
        let many = ["RAFT.NODE", "CHANGE"] + (1...33).flatMap { ["REMOVE", "\($0)"] }
        #expect(Self.error(RESPRequest(many.map { Array($0.utf8) })) == "a change is of 32 servers at most")
        #expect(Self.error(request("RAFT.NODE", "FOO"))?.hasPrefix("unknown subcommand 'FOO'") == true)
        #expect((Self.error(request("RAFT.NODE", long))?.utf8.count ?? .max) < 500)
        let noText: [UInt8] = [0xff, 0xfe, 0x00, 0x0a]
        #expect(Self.error(Array("RAFT.NODE".utf8), noText)?.isEmpty == false)
        #expect(Self.error(Array("RAFT.NODE".utf8), Array("ADD".utf8), Array("4".utf8), noText)?.isEmpty == false)
        #expect(Self.error(Array("RAFT.TRANSFER_LEADER".utf8), noText) == number)
    }
}
