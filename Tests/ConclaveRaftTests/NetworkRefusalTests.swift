import Conclave
import ConclaveNet
import RaftCore
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Refusals in memory")
struct NetworkRefusalTests {
    /// Lets nobody in, or everybody.
    private struct Door: TransportSink {
        let isShut: Bool

        func received(_ frame: UnsafeRawBufferPointer, from peer: PeerID) {}
        func linkUp(_ peer: PeerID, incarnation: UInt64) {}
        func linkDown(_ peer: PeerID, _ reason: LinkFailure) {}
        func refusal(of handshake: Handshake) -> Handshake.Refusal? { isShut ? .incarnation : nil }
    }

    private struct Presence: Behavior {
        typealias Message = Never

        let transport: any Transport
        let door: Door

        mutating func started(_ context: borrowing Context<Never>) throws {
            try transport.start(under: context, sink: door)
        }

        mutating func receive(_ message: consuming Never, _ context: borrowing Context<Never>) {}
    }

    @Test(
        "a node that is refused is told once by whoever refuses it, whichever of the two speaks, until one of them is there anew"
    )
    func toldOnce() throws {
        let (network, steps) = (RaftNetwork(), TestSteps())
        let system = ActorSystem("refusals", scheduler: steps, time: TestClock())
        let told = Mutex<[NodeID]>([])
        func place(_ id: UInt64, isShut: Bool) throws -> any Transport {
            let handshake = Handshake(cluster: 1, node: PeerID(id), incarnation: 3)
            let transport = network.transport(of: handshake) { by in told.withLock { $0.append(by) } }
            try system.spawn { Presence(transport: transport, door: Door(isShut: isShut)) }
            steps.settle()
            return transport
        }
        let frame = WireCodec.encode(.notMember(.zero))
        let (refused, refuser) = (try place(1, isShut: false), try place(2, isShut: true))
        for _ in 0..<3 {
            refused.send(frame, to: PeerID(2))
            refuser.send(frame, to: PeerID(1))
        }
        #expect(told.withLock { $0 } == [NodeID(2)])
        let anew = try place(1, isShut: false)
        for _ in 0..<3 { anew.send(frame, to: PeerID(2)) }
        #expect(told.withLock { $0 } == [NodeID(2), NodeID(2)])
        system.kill()
        steps.settle()
    }
}
