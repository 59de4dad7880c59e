import Conclave
import ConclaveNet
import RaftCore
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Where members are looked for")
struct MembershipLinkTests {
    /// Notes to whom there are to be links.
    private final class Links: Transport {
        private let peers = Mutex<[PeerID: SocketAddress]>([:])

        func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {}
        func setPeers(_ peers: [PeerID: SocketAddress]) { self.peers.withLock { $0 = peers } }
        func send(_ frame: [UInt8], to peer: PeerID) {}

        subscript(_ id: NodeID) -> UInt16? { peers.withLock { $0[PeerID(id.rawValue)]?.port } }
    }

    private let links = Links()
    private let n1 = NodeID(1)
    private let n2 = NodeID(2)
    private let n3 = NodeID(3)
    private let n9 = NodeID(9)

    private func record(_ id: NodeID, _ port: UInt16, incarnation: UInt64? = nil) -> MemberRecord {
        MemberRecord(id, peerAddress: "\(SocketAddress.loopback(port: port))", incarnation: incarnation)
    }

    /// Of server 1, which waits 10 ticks for a link.
    private func membership(at port: UInt16, told: [MemberRecord] = []) -> Membership {
        Membership(
            own: record(n1, port, incarnation: 1),
            told: told,
            process: 1,
            patience: 10,
            outbox: Outbox(transport: links),
            incarnations: KnownIncarnations(.unknown)
        )
    }

    /// Server 1, which leads a cluster of its own in which server 2 learns.
    private func leader() -> RaftCore {
        let members = Configuration(voters: [n1], learners: [n2], records: [record(n1, 8001), record(n2, 8002)])
        var core = RaftCore(id: n1, configuration: members, seed: 1)
        core.checkTimeouts()
        carryOut(&core)
        return core
    }

    private func carryOut(_ core: inout RaftCore) {
        while core.hasOutput { if let ticket = core.takeOutput().ticket { core.persisted(ticket) } }
    }

    @Test(
        "a member that has moved is written down at its new address, although the link to the old one ends after it said so"
    )
    func moved() {
        var (core, membership) = (leader(), membership(at: 8001))
        membership.follow(core)
        membership.receive(.linkUp(n2, incarnation: 7), &core, deadline: 0)
        membership.receive(.introduced(record(n2, 9002, incarnation: 7)), &core, deadline: 0)
        #expect(links[n2] == 9002)
        membership.linkDown(n2, hasMoved: true, core)
        membership.receive(.linkUp(n2, incarnation: 7), &core, deadline: 0)
        membership.timePassed(&core, now: 1)
        #expect(core.configuration.record(of: n2) == record(n2, 9002, incarnation: 7))
    }

    @Test("P28: what a member said of itself is not written down when another data directory has come in its place")
    func otherDirectory() {
        for comesBack in [false, true] {
            var (core, membership) = (leader(), membership(at: 8001))
            membership.follow(core)
            membership.receive(.linkUp(n2, incarnation: 7), &core, deadline: 0)
            membership.receive(.introduced(record(n2, 8002, incarnation: 7)), &core, deadline: 0)
            membership.linkDown(n2, hasMoved: false, core)
            if comesBack { membership.receive(.linkUp(n2, incarnation: 8), &core, deadline: 0) }
            membership.timePassed(&core, now: 1)
            #expect(core.configuration.record(of: n1)?.incarnation == 1)
            #expect(core.configuration.record(of: n2)?.incarnation == nil)
        }
    }

    @Test("P28: a member that was met is refused with another data directory also before the first one is written down")
    func metBefore() {
        let (two, members) = (PeerID(2), [n1, n2, n3])
        let known = KnownIncarnations(Configuration(voters: members))
        #expect(!known.contradict(two, 7) && known.contradict(two, 8) && !known.contradict(two, 7))
        // What is written down counts for more, as it does everywhere.
        known.follow(Configuration(voters: members, records: [record(n2, 8002, incarnation: 8)]))
        #expect(known.contradict(two, 7) && !known.contradict(two, 8))
        // Added again it is another one; in between it is a stranger, and those may have what they want.
        known.follow(Configuration(voters: [n1, n3]))
        #expect(!known.contradict(two, 9) && !known.contradict(two, 10))
        known.follow(Configuration(voters: members))
        #expect(!known.contradict(two, 11) && known.contradict(two, 12))
    }

    @Test("a stranger that has moved stays linked; one whose link breaks is forgotten")
    func stranger() {
        var (core, membership) = (leader(), membership(at: 8001))
        membership.follow(core)
        for port in [9009, 9010] as [UInt16] {
            membership.receive(.introduced(record(n9, port, incarnation: 7)), &core, deadline: 0)
            #expect(links[n9] == port)
        }
        membership.linkDown(n9, hasMoved: true, core)
        #expect(links[n9] == 9010)
        membership.linkDown(n9, hasMoved: false, core)
        #expect(links[n9] == nil)
    }

    /// Server 1 of three, in whose log they are at these ports.
    private func follower(_ ports: [UInt16]) -> RaftCore {
        let ids = [n1, n2, n3]
        let members = Configuration(voters: ids, records: ids.indices.map { record(ids[$0], ports[$0]) })
        let entry = Entry(term: Term(1), index: LogIndex(1), kind: .configuration, payload: members.encoded())
        let found = RestoredState(hardState: HardState(term: Term(1)), entries: [entry])
        return RaftCore(id: n1, configuration: .unknown, restored: found, seed: 1)
    }

    @Test(
        "a member that moved since the founding is looked for where the log says, and elsewhere only if it is not there"
    )
    func newerInTheLog() {
        var core = follower([8001, 8002, 9003])
        var membership = membership(at: 8001, told: [record(n1, 8001), record(n2, 8002), record(n3, 8003)])
        membership.follow(core)
        #expect(links[n2] == 8002 && links[n3] == 9003)
        for (now, port) in [(9, 9003), (10, 8003), (19, 8003), (20, 9003), (30, 8003)] as [(UInt64, UInt16)] {
            membership.timePassed(&core, now: now)
            #expect(links[n2] == 8002 && links[n3] == port, "at \(now)")
        }
        membership.receive(.linkUp(n3, incarnation: 3), &core, deadline: 0)
        membership.timePassed(&core, now: 40)
        #expect(links[n3] == 8003)
    }

    @Test("a server that was itself started elsewhere than the log says looks for the others where it is told, first")
    func movedTogether() {
        var core = follower([8001, 8002, 8003])
        var membership = membership(at: 7001, told: [record(n1, 7001), record(n2, 7002), record(n3, 8003)])
        membership.follow(core)
        #expect(links[n2] == 7002 && links[n3] == 8003)
        membership.timePassed(&core, now: 10)
        #expect(links[n2] == 8002 && links[n3] == 8003)
    }
}
