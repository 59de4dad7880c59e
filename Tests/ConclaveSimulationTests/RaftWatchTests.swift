import ConclaveRaft
import RaftScenario
import Synchronization
import Testing

@testable import ConclaveSimulation
@testable import RaftCore

/// Each checker is asked in a run of a cluster: what a server becomes, writes and says, and what clients are told, comes to its ears.
/// What the checkers make of that is in `InvariantTests`.
@Suite struct RaftWatchTests {
    private final class Complaint: Sendable {
        private let text = Mutex<String?>(nil)
        var checker: String? { text.withLock { $0.map { String($0.prefix { $0 != ":" }) } } }
        func hear(_ complaint: String) { text.withLock { $0 = complaint } }
    }

    private let complaint = Complaint()
    private let watch: RaftWatch
    private let one = NodeID(1)
    private let two = NodeID(2)
    private let three = NodeID(3)

    init() { watch = RaftWatch(meddling: Meddling(), onViolation: complaint.hear) }

    private func entries(_ terms: [UInt64], payload: UInt8 = 0) -> [Entry] {
        terms.enumerated().map { place, term in
            Entry(term: Term(term), index: LogIndex(UInt64(place) + 1), kind: .command, payload: [payload])
        }
    }

    /// A server that starts with this log; its disk has all of it, or the first entries only.
    private func start(
        _ id: NodeID,
        term: UInt64,
        log terms: [UInt64] = [],
        durable: Int = .max,
        as role: RaftRole = .follower
    ) -> RaftCore {
        var found = RestoredState(
            hardState: HardState(term: Term(term)),
            entries: entries(Array(terms.prefix(durable)))
        )
        let probe = watch.probe(of: id)
        probe.restores(&found)
        found.entries = entries(terms)
        var core = RaftCore(id: id, voters: [one, two, three], restored: found, seed: id.rawValue)
        probe.started(core)
        core.role = role
        return core
    }

    private func look(at core: RaftCore, applied: UInt64 = 0) {
        var core = core
        watch.probe(of: core.id).hasTaken(.other, &core, applied: LogIndex(applied))
    }

    private func apply(_ value: String, at place: Int) {
        let call = RegisterModel.Call.write(value)
        let command = RegisterMachine.command(call, key: "k")
        watch.applied(RegisterMachine.Applied(command: command[...], key: "k", call: call, place: place), by: one)
    }

    @Test("election safety")
    func elections() {
        look(at: start(one, term: 1, as: .leader))
        #expect(complaint.checker == nil)
        look(at: start(two, term: 1, as: .leader))
        #expect(complaint.checker == "election safety")
        #expect(watch.isOver)
    }

    @Test("log matching")
    func logs() {
        _ = start(one, term: 1)
        _ = start(two, term: 1)
        watch.probe(of: one).writes(nil, snapshot: nil, entries([1, 1]))
        watch.probe(of: two).writes(nil, snapshot: nil, entries([1]))
        #expect(complaint.checker == nil)
        watch.probe(of: two).writes(nil, snapshot: nil, entries([1], payload: 9))
        #expect(complaint.checker == "log matching")
    }

    @Test("committed entries never change")
    func committed() {
        var first = start(one, term: 2, log: [1, 1])
        first.commitIndex = LogIndex(2)
        look(at: first)
        var second = start(two, term: 2, log: [1, 2])
        second.commitIndex = LogIndex(1)
        look(at: second)
        #expect(complaint.checker == nil)
        second.commitIndex = LogIndex(2)
        look(at: second)
        #expect(complaint.checker == "committed entries")
    }

    @Test("leader completeness")
    func completeness() {
        var first = start(one, term: 1, log: [1, 1])
        first.commitIndex = LogIndex(2)
        look(at: first)
        look(at: start(two, term: 2, log: [1, 1], as: .leader))
        #expect(complaint.checker == nil)
        look(at: start(three, term: 3, log: [1], as: .leader))
        #expect(complaint.checker == "leader completeness")
    }

    @Test("a leader commits by counting in its own term only")
    func ownTerm() {
        for id in [two, three] { _ = start(id, term: 1, log: [1, 1]) }
        var leader = start(one, term: 2, log: [1, 1], as: .leader)
        look(at: leader)
        #expect(complaint.checker == nil)
        leader.commitIndex = LogIndex(2)
        look(at: leader)
        #expect(complaint.checker == "leader commits own term")
    }

    @Test("what is committed is on a quorum")
    func quorum() {
        for id in [two, three] { _ = start(id, term: 1, log: [1], durable: id == two ? 1 : 0) }
        var leader = start(one, term: 1, log: [1, 1], as: .leader)
        leader.commitIndex = LogIndex(1)
        look(at: leader)
        #expect(complaint.checker == nil)
        leader.commitIndex = LogIndex(2)
        look(at: leader)
        #expect(complaint.checker == "committed on a quorum")
    }

    @Test("what counts as persisted is on the disk")
    func persisted() {
        look(at: start(one, term: 1, log: [1, 1]))
        #expect(complaint.checker == nil)
        look(at: start(two, term: 1, log: [1, 1], durable: 1))
        #expect(complaint.checker == "persisted index")
    }

    @Test("one vote a term, and what was acknowledged is kept")
    func promises() {
        func say(_ kind: RaftMessage.Kind, to receiver: NodeID) {
            watch.promised(RaftMessage(from: one, to: receiver, term: Term(1), kind: kind))
        }
        say(.voteResponse(granted: true), to: two)
        say(.voteResponse(granted: false), to: three)
        say(.appendAccepted(match: LogIndex(2), readRound: .zero, session: .zero), to: two)
        look(at: start(one, term: 1, log: [1, 1]))
        #expect(complaint.checker == nil)
        let other = Self()
        look(at: start(one, term: 1, log: [1]))
        #expect(complaint.checker == "promises kept")
        for receiver in [two, three] {
            other.watch.promised(
                RaftMessage(from: one, to: receiver, term: Term(1), kind: .voteResponse(granted: true))
            )
        }
        #expect(other.complaint.checker == "one vote a term")
    }

    @Test("a server that is as before is looked at again when it has promised more")
    func promisedMore() {
        let core = start(one, term: 1, log: [1, 1])
        for match in [2, 2, 3] as [UInt64] {
            look(at: core)
            #expect(complaint.checker == nil)
            watch.promised(
                RaftMessage(
                    from: one,
                    to: two,
                    term: Term(1),
                    kind: .appendAccepted(match: LogIndex(match), readRound: .zero, session: .zero)
                )
            )
        }
        look(at: core)
        #expect(complaint.checker == "promises kept")
    }

    @Test("a server that is as before is looked at again when it has voted in a term that it does not know")
    func votedInALaterTerm() {
        let core = start(one, term: 1)
        look(at: core)
        watch.promised(RaftMessage(from: one, to: two, term: Term(2), kind: .voteResponse(granted: true)))
        #expect(complaint.checker == nil)
        look(at: core)
        #expect(complaint.checker == "promises kept")
    }

    @Test("a server that is as before is looked at again when something else is on its disk")
    func writtenSince() {
        let core = start(one, term: 2, log: [1, 1])
        let probe = watch.probe(of: one)
        for terms in [[1, 1], [2]] as [[UInt64]] {
            look(at: core)
            probe.writes(nil, snapshot: nil, entries(terms))
            look(at: core)
            #expect(complaint.checker == nil)
            probe.hasWritten()
        }
        look(at: core)
        #expect(complaint.checker == "persisted index")
    }

    @Test("one change of the membership at a time, and none before a commit in the own term")
    func membership() {
        var leader = start(one, term: 2, log: [1, 2], as: .leader)
        look(at: leader)
        #expect(complaint.checker == nil)
        leader.configurations = ConfigurationHistory(Configuration(voters: [one, two]), at: LogIndex(2))
        look(at: leader)
        #expect(complaint.checker == "membership")
    }

    @Test("nothing goes back, and the marks are in order")
    func progress() {
        var core = start(one, term: 2, log: [1, 1])
        core.commitIndex = LogIndex(2)
        look(at: core, applied: 1)
        #expect(complaint.checker == nil)
        look(at: core, applied: 0)
        #expect(complaint.checker == "progress")
        let other = Self()
        other.look(at: other.start(one, term: 1, log: [1]), applied: 1)
        #expect(other.complaint.checker == "progress")
    }

    @Test("all apply the same, and each command once")
    func applied() {
        apply("a", at: 0)
        apply("a", at: 0)
        apply("b", at: 1)
        #expect(complaint.checker == nil)
        let other = Self()
        apply("c", at: 1)
        #expect(complaint.checker == "state-machine safety")
        other.apply("a", at: 0)
        other.apply("a", at: 1)
        #expect(other.complaint.checker == "exactly once")
    }

    @Test("what clients are told")
    func clients() {
        apply("a", at: 0)
        watch.answered(.done, to: .write("a"), of: "k", floor: -1)
        watch.answered(.value("a"), to: .read, of: "k", floor: 0)
        #expect(complaint.checker == nil && watch.floor(of: "k") == 0)
        watch.answered(.value(nil), to: .read, of: "k", floor: 0)
        #expect(complaint.checker == "client oracle")
    }
}
