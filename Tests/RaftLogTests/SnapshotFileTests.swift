// Snapshot files by themselves: streams in, streams out, nothing damaged is believed.

import RaftCore
import RaftLog
import Testing

@Suite("Snapshot files")
struct SnapshotFileTests {
    private let disk = MemoryDisk()
    private let position = LogPosition(index: LogIndex(7), term: Term(3))
    private var files: SnapshotFiles { SnapshotFiles(disk: disk, cluster: cluster) }

    private func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = SeededGenerator(seed: seed)
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    /// A snapshot that the server has adopted.
    private func adopted(_ state: [UInt8]) throws -> SnapshotInfo {
        let writer = try files.write(at: position)
        try writer.write(state)
        let sealed = try writer.finish(configuration: bytes(33, seed: 2), sessions: bytes(70, seed: 3))
        try disk.rename(sealed.info.fileName + ".tmp", to: sealed.info.fileName)
        return sealed.info
    }

    private func readAll(_ info: SnapshotInfo) throws -> (state: [UInt8], configuration: [UInt8], sessions: [UInt8]) {
        let reader = try files.read(info)
        var state: [UInt8] = []
        try reader.readState { state += $0 }
        return (state, try reader.configuration(), try reader.sessions())
    }

    @Test(
        "what is streamed in, in pieces of any size, is streamed out",
        arguments: [0, 1, 255 << 10, 256 << 10, (256 << 10) + 1, 700_001]
    )
    func roundTrip(size: Int) throws {
        let state = bytes(size)
        let writer = try files.write(at: position)
        var generator = SeededGenerator(seed: 9)
        var offset = 0
        while offset < size {
            let count = min(Int.random(in: 1...100_000, using: &generator), size - offset)
            try writer.write(Array(state[offset..<offset + count]))
            offset += count
        }
        let sealed = try writer.finish(configuration: bytes(33, seed: 2), sessions: [])
        try disk.rename(sealed.info.fileName + ".tmp", to: sealed.info.fileName)
        let read = try readAll(sealed.info)
        #expect(read.state == state && read.configuration == bytes(33, seed: 2) && read.sessions.isEmpty)
    }

    @Test("a flipped bit anywhere in the file is found, by where it lies")
    func everyByte() throws {
        let state = bytes(900)
        let info = try adopted(state)
        for byte in 0..<info.sizeBytes {
            disk.flipBit(of: info.fileName, byte: byte, bit: byte % 8)
            do {
                _ = try readAll(info)
                // Only the trailer's checksum over everything is not looked at by a reader of the chunks.
                Issue.record("byte \(byte) of \(info.sizeBytes)")
            } catch let error as LogError {
                switch error {
                case .snapshotDamaged(let file, _): #expect(file == "memory/\(info.fileName)")
                default: Issue.record("byte \(byte): \(error)")
                }
            }
            disk.flipBit(of: info.fileName, byte: byte, bit: byte % 8)
        }
        #expect(try readAll(info).state == state)
    }

    @Test("what is handed out for a peer is as it was written: a bit that has flipped since is found, wherever it lies")
    func everyByteSent() throws {
        let info = try adopted(bytes(900))
        let content = try #require(disk.contents(of: info.fileName))
        func readAll(_ reader: SnapshotReader) throws(LogError) -> [UInt8] {
            var sent: [UInt8] = []
            while sent.count < info.sizeBytes { sent += try reader.bytes(at: sent.count, count: 100) }
            return sent
        }
        var found = 0
        for byte in 0..<info.sizeBytes {
            let open = try files.read(info)
            disk.flipBit(of: info.fileName, byte: byte, bit: byte % 8)
            for reader in [open, try? files.read(info)].compactMap({ $0 }) {
                do throws(LogError) {
                    let sent = try readAll(reader)
                    #expect(sent == content, "byte \(byte)")
                } catch {
                    guard case .snapshotDamaged = error else { throw error }
                    found += 1
                }
            }
            disk.flipBit(of: info.fileName, byte: byte, bit: byte % 8)
        }
        #expect(found > 900)
        #expect(try readAll(try files.read(info)) == content)
    }

    @Test(
        "pieces of any size put the file together, across chunks and sections",
        arguments: [0, 1, 256 << 10, 700_001]
    )
    func piecesSent(size: Int) throws {
        let info = try adopted(bytes(size))
        let content = try #require(disk.contents(of: info.fileName))
        let reader = try files.read(info)
        var generator = SeededGenerator(seed: 4)
        for largest in [400, 100_000, 600_000] {
            var sent: [UInt8] = []
            while sent.count < info.sizeBytes {
                sent += try reader.bytes(at: sent.count, count: Int.random(in: 1...largest, using: &generator))
            }
            #expect(sent == content)
        }
    }

    @Test("a chunk that lies where another belongs is found")
    func swappedChunks() throws {
        let info = try adopted([UInt8](repeating: 5, count: 600 << 10))
        var content = try #require(disk.contents(of: info.fileName))
        let size = 16 + (256 << 10)
        content.replaceSubrange(64 + size..<64 + 2 * size, with: Array(content[64..<64 + size]))
        disk.install(info.fileName, content)
        #expect(throws: LogError.self) { try readAll(info) }
    }

    @Test("a snapshot of another cluster is refused")
    func foreign() throws {
        let info = try adopted(bytes(10))
        let other = ClusterID(high: 1, low: 2)
        #expect(throws: LogError.self) { try SnapshotFiles(disk: disk, cluster: other).read(info) }
    }

    @Test("a dropped writer or receiver leaves no file")
    func abandoned() throws {
        do {
            let writer = try files.write(at: position)
            try writer.write(bytes(10))
            _ = try files.receive(SnapshotInfo(position: position, sizeBytes: 10, checksum: 1))
        }
        #expect(try disk.list().isEmpty)
    }

    @Test("no space for a snapshot is said as such, and leaves nothing behind")
    func diskFull() throws {
        disk.setFaults { operation, _, _ in operation == .write ? .noSpace : nil }
        let path = "memory/snapshot-0000000000000007-0000000000000003.snap.tmp"
        #expect(throws: LogError.diskFull(DiskError(.write, path: path, cause: .noSpace))) {
            try files.write(at: position)
        }
        #expect(try disk.list().isEmpty)
    }

    @Test("a snapshot arrives in pieces, some twice, some too early, and goes on where it stopped")
    func received() throws {
        let info = try adopted(bytes(500_000))
        let reader = try files.read(info)
        // The name may go while the file is being sent.
        try disk.remove(info.fileName)
        let target = MemoryDisk()
        let receiver = try SnapshotFiles(disk: target, cluster: cluster).receive(info)
        func deliver(_ offset: Int, _ count: Int) throws {
            try reader.bytes(at: offset, count: count).withUnsafeBytes { try receiver.write($0, at: offset) }
        }
        try deliver(0, 1_000)
        try deliver(5_000, 1_000)
        #expect(receiver.receivedBytes == 1_000)
        try deliver(0, 500)
        try deliver(500, 1_000)
        #expect(receiver.receivedBytes == 1_500)
        while receiver.receivedBytes < info.sizeBytes { try deliver(receiver.receivedBytes, 64 << 10) }
        let sealed = try receiver.finish()
        #expect(sealed.info == info)
        try target.rename(info.fileName + ".part", to: info.fileName)
        var state: [UInt8] = []
        try SnapshotFiles(disk: target, cluster: cluster).read(info).readState { state += $0 }
        #expect(state == bytes(500_000))
    }

    @Test("a snapshot that arrives twice has two files: when the first is discarded, the second one is whole")
    func receivedTwice() throws {
        let info = try adopted(bytes(5_000))
        let content = try #require(disk.contents(of: info.fileName))
        let target = MemoryDisk()
        let received = SnapshotFiles(disk: target, cluster: cluster)
        func receive() throws -> SealedSnapshot {
            let receiver = try received.receive(info)
            try content.withUnsafeBytes { try receiver.write($0, at: 0) }
            return try receiver.finish()
        }
        let (first, second) = (try receive(), try receive())
        #expect(try target.list().count == 2)
        received.discard(first)
        let left = try target.list()
        #expect(left.count == 1 && left.first.flatMap { target.contents(of: $0) } == content)
        received.discard(second)
        #expect(try target.list().isEmpty)
    }

    @Test("a file that arrives damaged is refused and removed")
    func receivedDamaged() throws {
        let info = try adopted(bytes(5_000))
        let content = try #require(disk.contents(of: info.fileName))
        for byte in stride(from: 0, to: content.count, by: 97) {
            let target = MemoryDisk()
            let receiver = try SnapshotFiles(disk: target, cluster: cluster).receive(info)
            var damaged = content
            damaged[byte] ^= 4
            try damaged.withUnsafeBytes { try receiver.write($0, at: 0) }
            #expect(throws: LogError.self) { try receiver.finish() }
            #expect(try target.list().isEmpty)
        }
    }
}
