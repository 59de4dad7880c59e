// Figures, not checks: run with RAFTLOG_MEASURE=1 swift test -c release --filter LogMeasurements

import Foundation
import RaftCore
import RaftLog
import Testing

/// Takes every write and does nothing.
private final class IdleDisk: ForwardingDisk, @unchecked Sendable {
    override func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {}
}

@Suite(
    "Log measurements",
    .serialized,
    .enabled(if: ProcessInfo.processInfo.environment["RAFTLOG_MEASURE"] != nil)
)
struct LogMeasurements {
    private let directory = TemporaryDirectory()
    private let options = WriteAheadLog.Options()

    /// The middle and the 99th percentile of `count` runs, in microseconds.
    private func microseconds(_ count: Int, _ body: () throws -> Void) rethrows -> (median: Double, p99: Double) {
        var samples: [Double] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            try body()
            let elapsed = (ContinuousClock.now - start).components
            samples.append(Double(elapsed.seconds) * 1e6 + Double(elapsed.attoseconds) / 1e12)
        }
        samples.sort()
        return (samples[count / 2], samples[count * 99 / 100])
    }

    @Test("a batch beside a bare write and sync of the same size", arguments: [1, 16, 64, 256])
    func batch(entryCount: Int) throws {
        let disk = try PosixDisk(directory: directory.path, createIfMissing: true)
        let (log, _) = try open(disk, options: options)
        let payload = [UInt8](repeating: 7, count: 256)
        var next: UInt64 = 1
        func append() throws {
            let batch = (0..<entryCount).map { offset in
                Entry(term: Term(1), index: LogIndex(next + UInt64(offset)), kind: .command, payload: payload)
            }
            next += UInt64(entryCount)
            try log.append(entries: batch)
        }
        let whole = try microseconds(2_000) {
            try append()
            try log.sync()
        }
        let length = (log.sizeBytes - 4096) / 2_000

        let file = try disk.create("bare")
        try disk.reserve(file, sizeBytes: 160 << 20)
        try disk.sync(file)
        let bytes = [UInt8](repeating: 7, count: length)
        var offset = 0
        let bare = try microseconds(2_000) {
            try bytes.withUnsafeBytes { try disk.write(file, at: offset, $0) }
            try disk.sync(file)
            offset += length
        }
        let (inMemory, _) = try open(IdleDisk(MemoryDisk()), options: small(segmentSizeBytes: 1 << 40))
        var index: UInt64 = 1
        let encode = try microseconds(2_000) {
            let batch = (0..<entryCount).map { offset in
                Entry(term: Term(1), index: LogIndex(index + UInt64(offset)), kind: .command, payload: payload)
            }
            index += UInt64(entryCount)
            try inMemory.append(entries: batch)
            try inMemory.sync()
        }
        print(
            "\(entryCount) x 256 B (\(length) B a batch): log \(whole), bare write+fdatasync \(bare), "
                + "log without a disk \(encode), in µs (median, p99)"
        )
        disk.close(file)
        log.close()
    }

    @Test("a million entries of 256 bytes come back")
    func recovery() throws {
        let disk = try PosixDisk(directory: directory.path, createIfMissing: true)
        let payload = [UInt8](repeating: 7, count: 256)
        do {
            let (log, _) = try open(disk, options: options)
            for batch in 0..<10_000 {
                let entries = (1...100).map { offset in
                    Entry(
                        term: Term(1),
                        index: LogIndex(UInt64(batch * 100 + offset)),
                        kind: .command,
                        payload: payload
                    )
                }
                try log.append(entries: entries)
                if batch % 10 == 9 { try log.sync() }
            }
            print("\(log.segmentCount) segments, \(log.sizeBytes) bytes")
        }
        for _ in 0..<3 {
            let time = try ContinuousClock().measure {
                let (log, recovered) = try open(disk, options: options)
                #expect(recovered.entries.count == 1_000_000)
                log.close()
            }
            print("recovered 1,000,000 x 256 B in \(time)")
        }
    }

    @Test("an almost empty log opens")
    func openEmpty() throws {
        let disk = try PosixDisk(directory: directory.path, createIfMissing: true)
        let creation = try ContinuousClock().measure { try open(disk, options: options).log.close() }
        let opening = try ContinuousClock().measure { try open(disk, options: options).log.close() }
        print("created in \(creation), opened in \(opening)")
    }
}
