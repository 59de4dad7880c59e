// When the log refuses to open or to go on, and how it says so.

import RaftCore
import RaftLog
import Testing

@Suite("Log refusals")
struct LogRefusalTests {
    private func diskWithLog(batches: Int = 3) throws -> MemoryDisk {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        for index in 1...batches {
            try log.append(hardState: vote(1, 1), entries: [entry(index)])
            try log.sync()
        }
        log.close()
        return disk
    }

    @Test("a second opener is refused until the first has closed")
    func locked() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        #expect(throws: LogError.alreadyInUse(location: "memory", processID: nil)) { try open(disk) }
        log.close()
        _ = try open(disk)
    }

    @Test("an existing log is not taken for a new one, nor a missing one for an empty one")
    func missing() throws {
        #expect(throws: LogError.missing(location: "memory")) { try open(MemoryDisk(), identity, .refuse) }
        let disk = try diskWithLog()
        var other = identity
        other.incarnation = 78
        let (log, recovered) = try open(disk, other, .create)
        #expect(recovered.entries.count == 3)
        #expect(log.identity.incarnation == 77 && recovered.identity.incarnation == 77)
    }

    @Test("data of another cluster or server is refused with both names")
    func foreign() throws {
        let disk = try diskWithLog()
        let otherCluster = LogIdentity(cluster: ClusterID(high: 1, low: 2), node: NodeID(1), incarnation: 1)
        let wrongCluster = LogError.wrongCluster(location: "memory", found: cluster, expected: otherCluster.cluster)
        #expect(throws: wrongCluster) { try open(disk, otherCluster) }
        #expect("\(wrongCluster)".contains("0123456789abcdeffedcba9876543210"))
        #expect("\(wrongCluster)".contains("00000000000000010000000000000002"))
        let otherNode = LogIdentity(cluster: cluster, node: NodeID(2), incarnation: 1)
        #expect(throws: LogError.wrongNode(location: "memory", found: NodeID(1), expected: NodeID(2))) {
            try open(disk, otherNode)
        }
        #expect(try WriteAheadLog.identity(on: disk) == identity)
        #expect(try WriteAheadLog.identity(on: MemoryDisk()) == nil)
    }

    @Test("a format of another version is named and refused")
    func version() throws {
        let disk = try diskWithLog()
        let name = disk.segmentName(1)
        disk.flipBit(of: name, byte: 8, bit: 2)
        // The header's second copy outvotes one flipped bit.
        #expect(try recover(disk).entries == entries(1...3))
        disk.flipBit(of: name, byte: 2048 + 8, bit: 2)
        let expected = LogError.unknownVersion(file: "memory/\(name)", found: 6, supported: 2)
        #expect(throws: expected) { try open(disk) }
        #expect("\(expected)".contains("start the build that wrote it"))
    }

    @Test("P32: after a failed sync every call fails, none is retried, and a restart decides")
    func failedSync() throws {
        let disk = try diskWithLog()
        let (log, _) = try open(disk)
        let failure = DiskError.Cause.system(code: 5, message: "Input/output error")
        disk.setFaults { operation, _, _ in operation == .sync ? failure : nil }
        try log.append(entries: [entry(4)])
        let expected = DiskError(.sync, path: "memory/segment-0000000000000001.wal", cause: failure)
        #expect(throws: LogError.failed(expected)) { try log.sync() }
        disk.setFaults(nil)
        let operations = disk.operationCount
        #expect(throws: LogError.failed(expected)) { try log.sync() }
        #expect(throws: LogError.failed(expected)) { try log.append(entries: [entry(5)]) }
        #expect(disk.operationCount == operations)
    }

    @Test("P32: a batch whose sync failed and that a restart still sees is made durable before it is vouched for")
    func failedSyncSeenAgain() throws {
        let disk = try diskWithLog()
        let (log, _) = try open(disk)
        disk.setFaults { operation, _, _ in operation == .sync ? .system(code: 5, message: "I/O error") : nil }
        try log.append(entries: [entry(4)])
        #expect(throws: LogError.self) { try log.sync() }
        disk.setFaults(nil)
        disk.kill()
        #expect(try recover(disk).entries == entries(1...4))
        disk.crash { _ in false }
        #expect(try recover(disk).entries == entries(1...4))
    }

    @Test("P8: what a killed process had written and not synced is made durable before it is vouched for")
    func killedBeforeSync() throws {
        let disk = try diskWithLog()
        let (log, _) = try open(disk, options: small(zeroAheadBytes: 0))
        try log.append(hardState: vote(2, 2), entries: [entry(4)])
        disk.cutPower(atOperation: disk.operationCount + 1)
        #expect(throws: LogError.self) { try log.sync() }
        disk.kill()
        #expect(try recover(disk).hardState == vote(2, 2))
        disk.crash { _ in false }
        #expect(try recover(disk).hardState == vote(2, 2))
    }

    @Test("a segment that does not fit is refused, nothing is lost, and it goes on once there is space")
    func diskFull() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        disk.setFaults { operation, _, _ in operation == .reserve ? .noSpace : nil }
        var index = 0
        var refusal: LogError?
        while refusal == nil, index < 1_000 {
            index += 1
            try log.append(hardState: vote(index, 1), entries: [entry(index, payloadBytes: 200)])
            do throws(LogError) { try log.sync() } catch { refusal = error }
        }
        let file = "memory/segment-0000000000000002.wal.tmp"
        #expect(refusal == .diskFull(DiskError(.reserve, path: file, cause: .noSpace)))
        #expect(try disk.list() == ["IDENTITY", "segment-0000000000000001.wal"])
        #expect(throws: LogError.self) { try log.sync() }
        let crashed = disk.copy()
        crashed.crash { _ in true }
        #expect(try recover(crashed).entries == entries(1...(index - 1), payloadBytes: 200))
        disk.setFaults(nil)
        try log.append(entries: [entry(index + 1, payloadBytes: 200)])
        try log.sync()
        log.close()
        let recovered = try recover(disk)
        #expect(recovered.entries == entries(1...(index + 1), payloadBytes: 200))
        #expect(recovered.hardState == vote(index, 1))
    }

    @Test("a batch that finds no space in the space set aside for it is written later, whole")
    func noSpaceForBatch() throws {
        for keepsTornWrite in [true, false] {
            let disk = MemoryDisk()
            let (log, _) = try open(disk, options: small(zeroAheadBytes: 0))
            try log.append(hardState: vote(1, 1), entries: [entry(1)])
            try log.sync()
            disk.setFaults { operation, _, _ in operation == .write ? .noSpace : nil }
            try log.append(entries: entries(2...9))
            let full = DiskError(.write, path: "memory/segment-0000000000000001.wal", cause: .noSpace)
            #expect(throws: LogError.diskFull(full)) { try log.sync() }
            #expect(throws: LogError.diskFull(full)) { try log.sync() }
            disk.setFaults(nil)
            if keepsTornWrite {
                // The first pages of the longer batch got there.
                let file = try disk.open(disk.segmentName(1))
                let torn = [UInt8](repeating: 0xa5, count: 3_000)
                torn.withUnsafeBytes { try? disk.write(file, at: log.sizeBytes, $0) }
                #expect(disk.contents(of: disk.segmentName(1))?.count == log.sizeBytes + torn.count)
            }
            // Meanwhile a leader had the end replaced: what is written now is shorter.
            try log.append(hardState: vote(2), entries: [entry(2, term: 2)])
            try log.sync()
            log.close()
            disk.crash { _ in true }
            #expect(try recover(disk).entries == [entry(1), entry(2, term: 2)])
            #expect(try recover(disk).hardState == vote(2))
        }
    }

    @Test("no space while a segment gets its name stops the log: only the batch it was begun for may follow")
    func diskFullTooLate() throws {
        let disk = MemoryDisk()
        let (log, _) = try open(disk)
        disk.setFaults { operation, _, _ in operation == .syncDirectory ? .noSpace : nil }
        var refusal: LogError?
        var index = 0
        while refusal == nil, index < 1_000 {
            index += 1
            try log.append(entries: [entry(index, payloadBytes: 200)])
            do throws(LogError) { try log.sync() } catch { refusal = error }
        }
        #expect(refusal == .failed(DiskError(.syncDirectory, path: "memory", cause: .noSpace)))
        disk.setFaults(nil)
        disk.crash { _ in true }
        #expect(try recover(disk).entries == entries(1...(index - 1), payloadBytes: 200))
    }

    @Test("P30: a missing first segment is a gap that no snapshot fills, and one in between is named")
    func missingSegment() throws {
        for lost in [1, 2] {
            let disk = MemoryDisk()
            let (log, _) = try open(disk)
            for index in 1...100 {
                try log.append(entries: [entry(index, payloadBytes: 200)])
                try log.sync()
            }
            log.close()
            let name = disk.segmentName(lost)
            try disk.remove(name)
            let before = try disk.list()
            let error = #expect(throws: LogError.self) { try open(disk) }
            switch error {
            case .gap(_, let first, let snapshot):
                #expect(lost == 1 && first > LogIndex(1) && snapshot == .zero)
                #expect("\(String(describing: error))".contains("there is no snapshot"))
            case .corrupt(let corruption):
                #expect(lost == 2 && corruption.kind == .missingSegment && corruption.file == name)
            default: Issue.record("\(String(describing: error))")
            }
            #expect(try disk.list() == before)
        }
    }

    @Test("P28: a log that is gone from beside its identity is not replaced by an empty one")
    func logLost() throws {
        let disk = try diskWithLog()
        try disk.remove(disk.segmentName(1))
        let expected = LogError.lost(location: "memory", identity: identity)
        #expect(throws: expected) { try open(disk, identity, .create) }
        #expect("\(expected)".contains("under a new id"))
        #expect(try WriteAheadLog.identity(on: disk) == identity)
    }

    @Test("P28: the identity file is written anew from the log when it is missing or damaged, and must agree with it")
    func identityFile() throws {
        let disk = try diskWithLog()
        let written = try #require(disk.contents(of: "IDENTITY"))
        try disk.remove("IDENTITY")
        #expect(try recover(disk).identity == identity)
        #expect(disk.contents(of: "IDENTITY") == written)
        for byte in written.indices {
            let damaged = disk.copy()
            damaged.flipBit(of: "IDENTITY", byte: byte, bit: byte % 7)
            #expect(try recover(damaged).identity == identity)
            #expect(damaged.contents(of: "IDENTITY") == written)
        }
        let other = MemoryDisk()
        var wiped = identity
        wiped.incarnation = 78
        try open(other, wiped).log.close()
        disk.install("IDENTITY", try #require(other.contents(of: "IDENTITY")))
        #expect(throws: LogError.self) { try open(disk) }
    }
}
