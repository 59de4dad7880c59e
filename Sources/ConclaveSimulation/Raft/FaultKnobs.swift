// How often each fault comes up in a run, and how bad it is.

internal import Conclave

/// The kinds of `Fault`, as plans are drawn from them.
package enum FaultKind: CaseIterable, Sendable {
    case network, cut, isolate, shape, slowLink, disconnect, heal
    case pause, kill, powerCut, restart, clockRate, clockJump
    case failSync, failWrite, failRead, slowDisk, hangDisk, fillDisk, freeDisk, rot, rotIdentity, rotSnapshot,
        misdirectWrite
    case wipe, replace, swap, demote, transfer

    /// Which profiles have it.
    func isIn(_ profile: FaultProfile) -> Bool {
        switch self {
        case .network, .cut, .isolate, .shape, .slowLink, .disconnect, .heal, .pause, .clockRate, .clockJump:
            profile.hasNetworkFaults
        case .kill, .powerCut, .restart, .failSync, .failWrite, .failRead, .slowDisk, .hangDisk, .fillDisk, .freeDisk,
            .rot, .rotIdentity, .rotSnapshot, .misdirectWrite:
            profile.hasDiskFaults
        case .wipe, .replace, .swap, .demote, .transfer: profile == .all
        }
    }

    /// Mends what others break.
    var mends: Bool { self == .heal || self == .restart || self == .freeDisk }
}

/// The knobs of a run's faults. `init(_:using:)` draws them from the seed: which kinds there are, and how often.
package struct FaultKnobs: Hashable, Sendable {
    /// How long until the next fault; 100 ms to 2.5 s by default.
    package var interval: ClosedRange<Duration> = .milliseconds(100) ... .milliseconds(2_500)
    /// How often each kind comes up beside the others; absent or 0: never. Drawn: 4 for what mends, otherwise 1 to 3, or 0 for about two
    /// fifths of them.
    package var weights: [FaultKind: Int] = [:]
    /// How long a machine stands still; 10 ms to 3 s by default.
    package var pause: ClosedRange<Duration> = .milliseconds(10) ... .seconds(3)
    /// How much longer a slow link's frames take; 5 to 200 ms by default.
    package var slowLink: ClosedRange<Duration> = .milliseconds(5) ... .milliseconds(200)
    /// By how many millionths a clock is too fast or too slow; within 50,000, which is 5 %, by default. At most 100,000.
    package var clockRate: ClosedRange<Int> = -50_000...50_000
    /// How far a clock jumps ahead; 1 ms to 2 s by default.
    package var clockJump: ClosedRange<Duration> = .milliseconds(1) ... .seconds(2)
    /// How much longer a slow disk takes for whatever it is told; 0, which mends it, to 60 ms by default.
    package var slowDisk: ClosedRange<Duration> = .zero ... .milliseconds(60)
    /// How long a hung disk does nothing; 100 ms to 8 s by default.
    package var hangDisk: ClosedRange<Duration> = .milliseconds(100) ... .seconds(8)

    /// No fault at all.
    package init() {}

    /// Draws which of the profile's faults there are.
    package init(_ profile: FaultProfile, using random: inout SimulationRandom) {
        for kind in FaultKind.allCases where kind.isIn(profile) {
            weights[kind] = kind.mends ? 4 : max(0, Int.random(in: -1...3, using: &random))
        }
    }
}

extension ClosedRange<Duration> {
    /// A duration of whole milliseconds.
    func draw(_ random: inout SimulationRandom) -> Duration {
        .milliseconds(Int64.random(in: Int64(lowerBound.milliseconds)...Int64(upperBound.milliseconds), using: &random))
    }
}
