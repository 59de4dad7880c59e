import Conclave
import RaftCore
import Testing

@testable import ConclaveRaft

/// Puts commands down in a draft, and takes the draft over at the end of a batch: as a store would with a transaction.
private struct DraftingMachine: StateMachine {
    private(set) var kept: [UInt8] = []
    private(set) var batches = 0
    private var draft: [UInt8] = []

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> Int {
        draft += command
        return kept.count + draft.count
    }

    mutating func batchEnded() {
        if draft.isEmpty { return }
        kept += draft
        draft = []
        batches += 1
    }

    /// How much is kept, and in how many batches it came; what is only in the draft must not be seen.
    func answer(_ query: Int) -> Int {
        precondition(draft.isEmpty, "a query in the midst of a batch")
        return query == 0 ? kept.count : batches
    }

    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        precondition(draft.isEmpty, "a snapshot in the midst of a batch")
        try kept.withUnsafeBytes(write)
    }

    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        try read { kept += $0 }
    }

    static func encode(_ response: Int) -> [UInt8] { Array("\(response)".utf8) }
    static func decode(response: [UInt8]) throws -> Int { Int(String(decoding: response, as: UTF8.self)) ?? 0 }
}

@Suite("Batches of commands", .timeLimit(.minutes(1))) struct BatchTests {
    @Test(
        "what is done at the end of a batch is done before any query and any snapshot, and less often than once for a command"
    )
    func batches() async throws {
        let system = ActorSystem("batches")
        var options = RaftNodeOptions(cluster: "batches", id: NodeID(1), members: [NodeID(1)])
        options.snapshotAfterEntries = 50
        let node = try RaftNode(
            options,
            machine: DraftingMachine(),
            storage: .memory(),
            transport: .inMemory(RaftNetwork()),
            in: system
        )
        #expect(node.recoveryNotes.isEmpty)
        let client = try RaftClient([node], in: system)
        #expect(try await client.submit([0], timeout: .seconds(20)) == 1)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 1..<100 as Range<UInt8> {
                group.addTask {
                    let answer = try await client.submit([number], timeout: .seconds(20))
                    #expect(try await client.query(0, timeout: .seconds(20)) >= answer)
                }
            }
            try await group.waitForAll()
        }
        #expect(try await client.query(0) == 100)
        let batches = try await client.query(1)
        #expect(batches >= 2 && batches <= 100)
        await system.shutdown()
    }
}
