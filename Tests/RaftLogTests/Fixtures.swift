// What the tests of this module share.

import RaftCore
import RaftLog

let cluster = ClusterID(high: 0x0123_4567_89ab_cdef, low: 0xfedc_ba98_7654_3210)
let identity = LogIdentity(cluster: cluster, node: NodeID(1), incarnation: 77)

/// Options that make segments small enough to roll over often.
func small(segmentSizeBytes: Int = 8 << 10, zeroAheadBytes: Int = 1 << 10) -> WriteAheadLog.Options {
    var options = WriteAheadLog.Options()
    options.segmentSizeBytes = segmentSizeBytes
    options.zeroAheadBytes = zeroAheadBytes
    return options
}

/// An entry whose payload depends on its name, so that a mixed-up one shows.
func entry(_ index: Int, term: Int = 1, payloadBytes: Int = 24, kind: Entry.Kind = .command) -> Entry {
    let payload = (0..<payloadBytes).map { UInt8(truncatingIfNeeded: index &* 31 &+ term &* 7 &+ $0) }
    return Entry(term: Term(UInt64(term)), index: LogIndex(UInt64(index)), kind: kind, payload: payload)
}

func entries(_ indexes: ClosedRange<Int>, term: Int = 1, payloadBytes: Int = 24) -> [Entry] {
    indexes.map { entry($0, term: term, payloadBytes: payloadBytes) }
}

func vote(_ term: Int, _ node: UInt64? = nil) -> HardState {
    HardState(term: Term(UInt64(term)), vote: node.map { NodeID($0) })
}

func open(
    _ disk: any Disk,
    _ expected: LogIdentity = identity,
    _ ifMissing: WriteAheadLog.IfMissing = .create,
    options: WriteAheadLog.Options = small()
) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
    try WriteAheadLog.open(disk: disk, identity: expected, ifMissing: ifMissing, options: options)
}

/// Opens a log that may be damaged, to be repaired.
func openQuarantined(
    _ disk: any Disk,
    options: WriteAheadLog.Options
) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
    try WriteAheadLog.open(
        disk: disk,
        identity: identity,
        ifMissing: .refuse,
        ifDamaged: .quarantine,
        options: options
    )
}

/// Opens, takes what was recovered and closes again.
func recover(_ disk: any Disk, options: WriteAheadLog.Options = small()) throws(LogError) -> Recovered {
    let (log, recovered) = try open(disk, identity, .refuse, options: options)
    log.close()
    return recovered
}

/// A small generator whose whole state is its seed (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
