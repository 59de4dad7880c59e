// In which order ready actors run.

/// How a simulation picks the next of all actors that have something to do.
public enum SchedulePolicy: Hashable, Sendable {
    /// Any of them, each with the same chance.
    case random
    /// The one with the highest priority; priorities are drawn at random for each actor, and at `changePoints` steps, drawn among
    /// the first `expectedSteps`, whoever would run gets the lowest. Finds a bug that needs `changePoints` + 1 orderings
    /// with a known probability (PCT: Burckhardt and others, 2010).
    case priorities(changePoints: Int, expectedSteps: Int)
    /// As in production on one worker: first come, first served. Finds few bugs; for comparison.
    case inOrder
}

/// The order of priorities among actors, by their paths.
struct PrioritySchedule {
    private let salt: UInt64
    private var changePoints: [Int]
    /// Those that were put back, the earlier the higher.
    private var lowered: [String: UInt64] = [:]
    private var nextLowest = UInt64.max >> 32

    init(changePoints: Int, expectedSteps: Int, _ random: inout SimulationRandom) {
        precondition(changePoints >= 0 && expectedSteps > 0, "a priority schedule needs steps to change priorities at")
        salt = random.next()
        self.changePoints = (0..<changePoints).map { _ in Int.random(in: 0..<expectedSteps, using: &random) }
        self.changePoints.sort(by: >)
    }

    /// Which of the ready ones is next.
    mutating func pick(_ paths: [String], step: Int) -> Int {
        let best = highest(paths)
        guard let point = changePoints.last, step >= point else { return best }
        changePoints.removeLast()
        lowered[paths[best]] = nextLowest
        nextLowest -= 1
        return highest(paths)
    }

    private func highest(_ paths: [String]) -> Int {
        var best = 0
        for index in paths.indices.dropFirst() where priority(paths[index]) > priority(paths[best]) { best = index }
        return best
    }

    private func priority(_ path: String) -> UInt64 {
        if let low = lowered[path] { return low }
        // FNV-1a, mixed: the same in every process, which the standard library's hashes are not.
        var hash = salt ^ 0xCBF2_9CE4_8422_2325
        for byte in path.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var mixer = SimulationRandom(seed: hash)
        return mixer.next() | 1 << 63
    }
}
