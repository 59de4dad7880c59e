// What the simulated network does to frames.

/// The knobs of a simulated network; every frame draws its own fate.
public struct NetworkFaults: Hashable, Sendable {
    /// How long a frame takes, drawn evenly; 50 µs to 2 ms by default. A slow link has more.
    public var delay: ClosedRange<Duration> = .microseconds(50) ... .milliseconds(2)
    /// So many of a thousand frames are lost; 0 by default, 0 to 1000.
    public var dropsPerMille = 0
    /// So many of a thousand frames arrive twice; 0 by default, 0 to 1000.
    public var duplicatesPerMille = 0
    /// So many of a thousand frames may overtake those sent before them on the same link; 0 by default, 0 to 1000.
    public var reordersPerMille = 0
    /// So many of a thousand frames that may arrive twice do so up to `stragglerDelay` later, whatever became of their connection
    /// meanwhile; 0 by default, 0 to 1000. No transport does that, but Raft must stand it.
    public var stragglersPerMille = 0
    /// How late stragglers are at most: 5 s.
    public static let stragglerDelay = Duration.seconds(5)

    /// A good network.
    public init() {}

    /// Rates of its own for a run: about half of the faults are off, the others anything from rare to frequent.
    public static func swarm(using random: inout SimulationRandom) -> NetworkFaults {
        var faults = NetworkFaults()
        func rate(_ most: Int, _ random: inout SimulationRandom) -> Int {
            Bool.random(using: &random) ? 0 : Int.random(in: 1...most, using: &random)
        }
        faults.dropsPerMille = rate(150, &random)
        faults.duplicatesPerMille = rate(100, &random)
        faults.reordersPerMille = rate(200, &random)
        faults.stragglersPerMille = rate(60, &random)
        let slowest = Int64.random(in: 1...(Bool.random(using: &random) ? 5 : 60), using: &random)
        faults.delay = .microseconds(50) ... .milliseconds(slowest)
        return faults
    }
}
