// Histories for the exploration of crashes, drawn from seeds.

import RaftCore
import RaftLog

/// One thing the script does.
enum ScriptStep {
    case append(HardState?, [Entry])
    case sync
    case reopen
    /// Takes a snapshot, of the log as it is or, as if a leader had sent it, in its place.
    case snapshot(LogPosition, replacingLog: Bool)
    case dropOldSegments
    case setSpareAside
}

/// What a script makes much of: what needs several rare things in a row hardly ever happens by mixture alone.
enum ScriptMood: String, CaseIterable, Sendable {
    /// A bit of everything.
    case mixed
    /// Ends are replaced far back, across segments, and what was before them is dropped.
    case replacing
    /// Segments are dropped and used again; batches of all sizes come to lie on what was there before.
    case recycling
    /// Snapshots are installed in the place of the log, and the log is cut to nothing.
    case installing
    /// Restarts between all of it.
    case restarting
    /// Many segments are dropped at once.
    case hoarding

    fileprivate struct Weights {
        /// Out of their sum.
        var append = 5, sync = 4, reopen = 1, snapshot = 1, drop = 1, spare = 1
        /// One of so many batches replaces entries,
        var replacesOneOf = 4
        /// at most so many,
        var deepest = 5
        /// and brings at most so many, of so many bytes.
        var entries = 6
        var payloadBytes = 400
        /// One of so many snapshots takes the place of the log.
        var installsOneOf = 4
        /// Whether a snapshot is taken where nothing came since the last one: of the same position, in its place.
        var replacesSnapshots = false
    }

    fileprivate var weights: Weights {
        switch self {
        case .mixed:
            Weights()
        case .replacing:
            Weights(
                append: 6,
                sync: 6,
                snapshot: 2,
                drop: 3,
                replacesOneOf: 2,
                deepest: 12,
                payloadBytes: 500,
                installsOneOf: 40
            )
        case .recycling:
            Weights(
                append: 6,
                sync: 6,
                snapshot: 3,
                drop: 4,
                spare: 3,
                entries: 3,
                payloadBytes: 900,
                installsOneOf: 40
            )
        case .installing:
            Weights(
                append: 4,
                snapshot: 3,
                drop: 2,
                deepest: 3,
                payloadBytes: 600,
                installsOneOf: 2,
                replacesSnapshots: true
            )
        case .restarting:
            Weights(append: 5, reopen: 4, snapshot: 2, drop: 2, replacesOneOf: 3, deepest: 8, payloadBytes: 600)
        case .hoarding:
            Weights(append: 8, sync: 8, spare: 0, payloadBytes: 1200, installsOneOf: 40)
        }
    }
}

/// A history of appends, suffix replacements, syncs, snapshots, compactions and restarts.
struct ScriptMaker {
    private var generator: SeededGenerator
    private let weights: ScriptMood.Weights
    private var script: [ScriptStep] = []
    private var terms: [Int: Int] = [:]
    private var last = 0
    private var snapshot = 0
    private var term = 1

    init(seed: UInt64, mood: ScriptMood = .mixed) {
        generator = SeededGenerator(seed: seed)
        weights = mood.weights
    }

    /// Goes on with a log in this state.
    init(seed: UInt64, mood: ScriptMood, after state: LogState) {
        self.init(seed: seed, mood: mood)
        for entry in state.entries { terms[Int(entry.index.rawValue)] = Int(entry.term.rawValue) }
        last = Int(state.lastIndex.rawValue)
        snapshot = Int(state.snapshot.index.rawValue)
        term = Int(state.hardState.term.rawValue)
        for known in [state.start, state.snapshot] { terms[Int(known.index.rawValue)] = Int(known.term.rawValue) }
    }

    mutating func make(steps: Int) -> [ScriptStep] {
        let limits = [weights.append, weights.sync, weights.reopen, weights.snapshot, weights.drop, weights.spare]
        for _ in 0..<steps {
            var draw = Int.random(in: 0..<limits.reduce(0, +), using: &generator)
            var kind = 0
            while draw >= limits[kind] {
                draw -= limits[kind]
                kind += 1
            }
            switch kind {
            case 0: append()
            case 1: script.append(.sync)
            case 2: script += [.sync, .reopen]
            case 3: takeSnapshot()
            case 4: script += [.sync, .dropOldSegments]
            default: script.append(.setSpareAside)
            }
        }
        script.append(.sync)
        return script
    }

    private mutating func append() {
        var changed: HardState?
        if Int.random(in: 0..<3, using: &generator) == 0 {
            term += 1
            changed = HardState(term: Term(UInt64(term)), vote: Bool.random(using: &generator) ? NodeID(2) : nil)
        }
        let count = Int.random(in: 0...weights.entries, using: &generator)
        // A cut without new entries cannot be said to the log, and what a snapshot holds is never cut.
        if count > 0, Int.random(in: 0..<weights.replacesOneOf, using: &generator) == 0 {
            last -= Int.random(in: 0...min(last - snapshot, weights.deepest), using: &generator)
            // Index and term name an entry: another one in its place is of a later term.
            if terms[last + 1] == term {
                term += 1
                changed = HardState(term: Term(UInt64(term)), vote: nil)
            }
        }
        let size = Int.random(in: 0...weights.payloadBytes, using: &generator)
        let added = (0..<count).map { entry(last + 1 + $0, term: term, payloadBytes: size) }
        for entry in added { terms[Int(entry.index.rawValue)] = term }
        last += count
        terms[last + 1] = nil
        script.append(.append(changed, added))
    }

    private mutating func takeSnapshot() {
        script.append(.sync)
        if Int.random(in: 0..<weights.installsOneOf, using: &generator) == 0 {
            last += 3
            snapshot = last
            terms[last] = term
            script.append(.snapshot(position(last), replacingLog: true))
        } else if last > snapshot {
            snapshot = Int.random(in: snapshot + 1...last, using: &generator)
            script.append(.snapshot(position(snapshot), replacingLog: false))
        } else if weights.replacesSnapshots, snapshot > 0 {
            script.append(.snapshot(position(snapshot), replacingLog: false))
        }
    }

    private func position(_ index: Int) -> LogPosition {
        LogPosition(index: LogIndex(UInt64(index)), term: Term(UInt64(terms[index] ?? 0)))
    }
}

func makeScript(seed: UInt64, mood: ScriptMood = .mixed, steps: Int = 60) -> [ScriptStep] {
    var maker = ScriptMaker(seed: seed, mood: mood)
    return maker.make(steps: steps)
}
