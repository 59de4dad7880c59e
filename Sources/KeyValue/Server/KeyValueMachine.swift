// The key-value store as a replicated state machine.

import ConclaveRaft
import Synchronization

/// How many keys there are, for anybody who asks: INFO does not disturb the machine.
package final class KeyCount: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    package fileprivate(set) var value: Int {
        get { count.load(ordering: .relaxed) }
        set { count.store(newValue, ordering: .relaxed) }
    }
}

/// Replicates `KeyValueStore`: a command is a `WriteBatch`, a query is a list of reads.
package struct KeyValueMachine: StateMachine {
    private var store = KeyValueStore()
    private let keyCount: KeyCount

    /// - Parameter keyCount: kept up to date with the store.
    package init(keyCount: KeyCount) { self.keyCount = keyCount }

    package mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> [Reply] {
        try store.apply(batch: command, wantsReplies: wantsResponse)
    }

    package mutating func batchEnded() { keyCount.value = store.count }

    package static func encode(_ response: [Reply]) -> [UInt8] {
        var writer = RESPWriter(version: .three)
        for reply in response { writer.write(reply) }
        return writer.take()
    }

    package static func decode(response: [UInt8]) throws -> [Reply] {
        var parser = RESPReplyParser()
        parser.append(response)
        var replies: [Reply] = []
        while let reply = try parser.next() { replies.append(reply) }
        return replies
    }

    package func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        try store.writeSnapshot(write)
    }

    package mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        var reader = StoreSnapshotReader()
        try read { try reader.take($0) }
        store = try reader.finish()
        keyCount.value = store.count
    }

    /// A batch of nothing but deletions.
    package static func freesSpace(_ command: [UInt8]) -> Bool {
        do {
            var reader = try WriteBatchReader(command[...])
            while let write = try reader.next() {
                switch write {
                case .delete, .deleteAll: continue
                case .set, .add, .setAll, .append: return false
                }
            }
            return true
        } catch {
            return false
        }
    }

    package var contentHash: UInt64? { store.contentHash }

    package func answer(_ query: [KeyValueRead]) -> [Reply] { query.map { store.answer($0) } }
}
