// Which kinds of crashes an exploration has seen.

import RaftCore
import RaftLog

/// How often each of the things happened that recovery has to get right.
struct CrashCensus: CustomStringConvertible {
    enum Kind: String, CaseIterable {
        /// The first segment that is left is not the log's first.
        case oldSegmentsDropped
        /// And what it follows was replaced later: the log begins before it.
        case beginsBeforeFirstSegment
        /// Dropped segments came back, but not all: there is a hole behind them.
        case leftOverSegments
        /// The next segment does not have its name yet.
        case unnamedSegment
        /// It has its name, but not its first batch.
        case emptySegment
        /// One of these two, and the batch replaces entries that are acknowledged.
        case replacingInNextSegment
        /// The last segment's file was used before.
        case recycledSegment
        /// The last batch is there in parts.
        case tornBatch
        case tornBatchInRecycledSegment
        /// The log speaks of a snapshot that still has its temporary name.
        case unnamedSnapshot
        /// There are parts of a snapshot that the log does not speak of.
        case unrecordedSnapshot
        /// A second power cut came while recovery wrote.
        case interruptedRecovery
        /// A log that was recovered went on for a while, and the power was cut again.
        case secondLife
    }

    private(set) var counts: [Kind: Int] = [:]

    mutating func note(_ kind: Kind, if happened: Bool = true) { if happened { counts[kind, default: 0] += 1 } }

    mutating func add(_ other: CrashCensus) { counts.merge(other.counts, uniquingKeysWith: +) }

    /// What is on a disk before it is recovered.
    struct Remains {
        let names: [String]
        let segments: [UInt64]
        /// Of the first segment without a hole behind it.
        let base: LogIndex
        let isRecycled: Bool
        let isEmpty: Bool

        init(_ disk: MemoryDisk, _ names: [String]) {
            self.names = names
            let ids = names.filter { $0.hasPrefix("segment-") && $0.hasSuffix(".wal") }
                .compactMap { UInt64($0.dropFirst(8).dropLast(4), radix: 16) }.sorted()
            segments = ids
            var first = max(0, ids.count - 1)
            while first > 0, ids[first - 1] + 1 == ids[first] { first -= 1 }
            func word(_ id: UInt64, _ offset: Int) -> UInt64 {
                guard let bytes = disk.contents(of: disk.segmentName(Int(id))) else { return 0 }
                return (0..<8).reduce(0) {
                    $0 | (offset + $1 < bytes.count ? UInt64(bytes[offset + $1]) << (8 * UInt64($1)) : 0)
                }
            }
            base = ids.isEmpty ? .zero : LogIndex(word(ids[first], 64))
            isRecycled = ids.last.map { word($0, 8) >> 32 & 1 == 1 } ?? false
            // The sequence that the header announces is not that of a batch behind it.
            isEmpty = ids.last.map { word($0, 56) != word($0, 4096 + 8) } ?? false
        }
    }

    mutating func note(_ remains: Remains, _ recovered: Recovered, _ promise: Promise) {
        let segments = remains.segments
        let hasHole = zip(segments, segments.dropFirst()).contains { $0 + 1 != $1 }
        let isUnnamed = remains.names.contains { $0.hasPrefix("segment-") && $0.hasSuffix(".tmp") }
        let snapshot = recovered.snapshot?.fileName
        note(.oldSegmentsDropped, if: segments.first ?? 1 > 1)
        note(.beginsBeforeFirstSegment, if: recovered.start.index < remains.base)
        note(.leftOverSegments, if: hasHole)
        note(.unnamedSegment, if: isUnnamed)
        note(.emptySegment, if: remains.isEmpty && segments.count > 1)
        note(.replacingInNextSegment, if: (isUnnamed || remains.isEmpty) && promise.isReplacing)
        note(.recycledSegment, if: remains.isRecycled)
        note(.tornBatch, if: recovered.tornTail != nil)
        note(.tornBatchInRecycledSegment, if: recovered.tornTail != nil && remains.isRecycled)
        note(.unnamedSnapshot, if: snapshot.map { !remains.names.contains($0) } ?? false)
        note(
            .unrecordedSnapshot,
            if: remains.names.contains { name in
                name.hasPrefix("snapshot-") && name.hasSuffix(".tmp")
                    && !(snapshot.map { name.hasPrefix($0) } ?? false)
            }
        )
    }

    var description: String {
        Kind.allCases.map { "\($0.rawValue) \(counts[$0] ?? 0)" }.joined(separator: ", ")
    }
}
