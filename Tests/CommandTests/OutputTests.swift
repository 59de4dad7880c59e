import RaftCore
import Testing

@testable import ConclaveCommand

@Suite("What the launcher prints")
struct OutputTests {
    @Test("the JSON lines are those that the help and the issue promise")
    func jsonLines() {
        let id = NodeID(1)
        let expected: [(Announcement, String?)] = [
            (
                .nodeStarted(id: id, pid: 123, clientPort: 7001, peerPort: 7101),
                #"{"event":"node-started","id":1,"pid":123,"clientPort":7001,"peerPort":7101}"#
            ),
            (.nodeReady(id: id), #"{"event":"node-ready","id":1}"#),
            (.leader(id: NodeID(2), term: Term(3)), #"{"event":"leader","id":2,"term":3}"#),
            (.roleChanged(id: id, role: .follower, term: Term(3)), nil),
            (
                .nodeExited(id: id, pid: 123, status: .signal(9), restartIn: .milliseconds(1600)),
                #"{"event":"node-exited","id":1,"pid":123,"signal":9,"restartInSeconds":1.6}"#
            ),
            (
                .nodeExited(id: id, pid: 123, status: .code(65), restartIn: nil),
                #"{"event":"node-exited","id":1,"pid":123,"status":65}"#
            ),
            (
                .nodeQuarantined(id: id, entries: LogIndex(12)...LogIndex(40)),
                #"{"event":"node-quarantined","id":1,"firstEntry":12,"lastEntry":40}"#
            ),
            (.nodeRepaired(id: id), #"{"event":"node-repaired","id":1}"#),
            (.clusterReady, #"{"event":"cluster-ready"}"#),
            (.stopping, #"{"event":"stopping"}"#),
            (.stopped, #"{"event":"stopped"}"#),
            (.error("a \"b\"\n\u{1}\\é"), #"{"event":"error","message":"a \"b\"\n\u0001\\é"}"#),
        ]
        for (announcement, line) in expected {
            #expect(announcement.jsonLine == line)
            #expect(!announcement.sentence.isEmpty)
        }
    }

    @Test("a server's events survive the way through their JSON line")
    func nodeEvents() {
        let events: [NodeEvent] = [
            .ready(id: NodeID(1), clientPort: 7001, peerPort: 7101),
            .role(id: NodeID(1), role: .leader, term: Term(3), leader: NodeID(1)),
            .role(id: NodeID(2), role: .candidate, term: Term(.max), leader: nil),
            .quarantined(id: NodeID(1), entries: LogIndex(12)...LogIndex(40)),
            .repaired(id: NodeID(1)),
        ]
        for event in events { #expect(NodeEvent(jsonLine: event.jsonLine) == event) }
        #expect(events[0].jsonLine == #"{"event":"ready","id":1,"clientPort":7001,"peerPort":7101}"#)
        #expect(events[1].jsonLine == #"{"event":"role","id":1,"role":"leader","term":3,"leader":1}"#)
        #expect(NodeEvent(jsonLine: #"{"event":"role","id":1,"role":"king","term":3}"#) == nil)
        #expect(NodeEvent(jsonLine: #"{"event":"ready","id":-1,"clientPort":7001,"peerPort":7101}"#) == nil)
    }

    @Test("the table lines up its columns")
    func table() {
        var launcher = ClusterLauncher(ClusterPlan(ClusterOptions(nodes: 2), clusterID: .unnamed))
        _ = launcher.handle(.begin, at: .zero)
        _ = launcher.handle(.spawned(NodeID(1), pid: 4711), at: .zero)
        let event = NodeEvent.role(id: NodeID(1), role: .leader, term: Term(3), leader: NodeID(1))
        _ = launcher.handle(.wrote(NodeID(1), line: event.jsonLine), at: .zero)
        #expect(
            ClusterTable(rows: launcher.rows).lines == [
                "  id  role    port  pid   term  state",
                "  1   leader  7001  4711  3     starting",
                "  2   -       7002  -     -     starting",
            ]
        )
    }

    @Test(
        "seconds are printed without needless digits",
        arguments: [
            (Duration.zero, "0"), (.seconds(5), "5"), (.milliseconds(100), "0.1"), (.milliseconds(1_050), "1.05"),
            (.microseconds(1_999), "0.001"),
        ]
    )
    func seconds(duration: Duration, text: String) {
        #expect(duration.secondsText == text)
    }

    @Test("lines are whole however the bytes arrive, and one that is too long is dropped alone")
    func lineBuffer() {
        let text = Array("one\n\ntwo is too long\nthree\nfo".utf8)
        for chunk in 1...text.count {
            var buffer = LineBuffer(longestLineBytes: 5)
            let lines = stride(from: 0, to: text.count, by: chunk).flatMap {
                buffer.append(text[$0..<min($0 + chunk, text.count)])
            }
            #expect(lines == ["one", "", "three"], "in chunks of \(chunk)")
            #expect(buffer.append(Array("ur\n".utf8)[...]) == ["four"])
        }
    }

    @Test("a wait status tells exit codes from signals")
    func waitStatus() {
        #expect(ChildExit(waitStatus: 0) == .code(0))
        #expect(ChildExit(waitStatus: 65 << 8) == .code(65))
        #expect(ChildExit(waitStatus: 9) == .signal(9))
        #expect(ChildExit(waitStatus: 11 | 0x80) == .signal(11))
    }
}
