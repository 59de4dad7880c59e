import Conclave
import Foundation
import RaftCore
import Testing

@testable import ConclaveRaft

/// Cannot read what `CountingMachine` wrote.
private struct ForgetfulMachine: StateMachine {
    struct Forgot: Error {}

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) -> Int { 0 }
    static func encode(_ response: Int) -> [UInt8] { [] }
    static func decode(response: [UInt8]) -> Int { 0 }
    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) {}
    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        throw Forgot()
    }
    func answer(_ query: UInt8) -> Int { 0 }
}

@Suite("Nodes that do not start, or do not talk", .timeLimit(.minutes(1)), .serialized) struct NodeStartTests {
    private let one = NodeID(1)

    private func options(_ id: NodeID, of members: Set<NodeID>) -> RaftNodeOptions {
        RaftNodeOptions(cluster: "start", id: id, members: members)
    }

    #if os(Linux)
        /// How many descriptors of this process watch others.
        private var watcherCount: Int {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
            return names.count {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?
                    .contains("eventpoll") == true
            }
        }

        @Test(
            "a node that finds another in its system leaves nothing behind: no watcher, and storage and port are free"
        )
        func nothingIsLeft() async throws {
            let (system, storage, port) = (ActorSystem("start"), RaftStorage.memory(), try RaftPort())
            _ = try RaftNode(
                options(one, of: [one]),
                machine: CountingMachine(),
                storage: .memory(),
                transport: .inMemory(RaftNetwork()),
                in: system
            )
            let before = watcherCount
            for _ in 0..<20 {
                let error = #expect(throws: RaftNodeError.self) {
                    try RaftNode(
                        options(one, of: [one]),
                        machine: CountingMachine(),
                        storage: storage,
                        transport: .tcp(port, peers: [one: port.number]),
                        in: system
                    )
                }
                #expect(error?.reason == .system && error?.cause is SpawnError)
            }
            #expect(watcherCount < before + 5)
            let other = ActorSystem("other")
            let node = try RaftNode(
                options(one, of: [one]),
                machine: CountingMachine(),
                storage: storage,
                transport: .tcp(port, peers: [one: port.number]),
                in: other
            )
            #expect(try await RaftClient([node], in: other).submit([1]) == 1)
            await system.shutdown()
            await other.shutdown()
        }
    #endif

    @Test("a machine that cannot read its snapshot stops the node, with what it threw; the storage is as it was")
    func machine() async throws {
        let (storage, network, first) = (RaftStorage.memory(), RaftNetwork(), ActorSystem("first"))
        var options = options(one, of: [one])
        options.snapshotAfterEntries = 5
        func start(in system: ActorSystem) throws -> RaftNode<CountingMachine> {
            try RaftNode(
                options,
                machine: CountingMachine(),
                storage: storage,
                transport: .inMemory(network),
                in: system
            )
        }
        let node = try start(in: first)
        let client = try RaftClient([node], in: first)
        for _ in 0..<20 { _ = try await client.submit([1]) }
        while node.status.snapshotIndex == .zero { await Task.yield() }
        await first.shutdown()

        let second = ActorSystem("second")
        let error = #expect(throws: RaftNodeError.self) {
            try RaftNode(
                options,
                machine: ForgetfulMachine(),
                storage: storage,
                transport: .inMemory(network),
                in: second
            )
        }
        #expect(error?.reason == .machine && error?.cause is ForgetfulMachine.Forgot)
        let again = try RaftClient([try start(in: second)], in: second)
        #expect(try await again.query(1) == 20)
        await second.shutdown()
    }

    @Test("times that no node could keep to are refused, in words")
    func times() async throws {
        let result = try await #require(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            var options = RaftNodeOptions(cluster: "start", id: NodeID(1), members: [NodeID(1)])
            options.heartbeat = .zero
            _ = try RaftNode(
                options,
                machine: CountingMachine(),
                storage: .memory(),
                transport: .inMemory(RaftNetwork()),
                in: ActorSystem("start")
            )
        }
        let said = String(decoding: result.standardErrorContent, as: UTF8.self)
        #expect(said.contains("a heartbeat takes at least 5 ms"), "\(said)")
    }

    @Test(
        "over TCP: nodes with leases talk if their times are equal; if they differ, both sides say so and there is no leader",
        arguments: [(5, 5, 100), (5, 6, 100), (5, nil, 100), (5, 5, 200)] as [(Int?, Int?, Int)]
    )
    func leases(drift: Int?, otherDrift: Int?, otherHeartbeat: Int) async throws {
        let ids = [one, NodeID(2)]
        let ports = try Dictionary(uniqueKeysWithValues: ids.map { ($0, try RaftPort()) })
        let systems = ids.map { ActorSystem("lease-\($0)", workers: 2) }
        let nodes = try zip(ids, systems).map { id, system in
            var options = options(id, of: Set(ids))
            options.leaseReadDriftPercent = id == one ? drift : otherDrift
            options.heartbeat = .milliseconds(id == one ? 100 : otherHeartbeat)
            return try RaftNode(
                options,
                machine: CountingMachine(),
                storage: .memory(),
                transport: .tcp(try #require(ports[id]), peers: ports.mapValues(\.number)),
                in: system
            )
        }
        let client = try RaftClient(nodes, in: systems[0])
        if drift == otherDrift, otherHeartbeat == 100 {
            #expect(try await client.submit([1], timeout: .seconds(20)) == 1)
        } else {
            for (node, other) in zip(nodes, ids.reversed()) {
                for await event in node.events.events() where event == .timingDiffers(from: other) { break }
            }
            await #expect(throws: NotDone.self) { try await client.submit([1], timeout: .milliseconds(100)) }
        }
        for system in systems { await system.shutdown() }
    }
}
