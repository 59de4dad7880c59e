import ConclaveSimulation

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// A random test's seed: from the environment, or a new one. Printed, with the command that replays it.
struct SeededRun {
    let seed: UInt64

    init(_ variable: String, test: String) {
        seed = ProcessInfo.processInfo.environment[variable].flatMap(UInt64.init) ?? UInt64.random(in: 0...(.max))
        print("replay with: \(variable)=\(seed) swift test --filter \(test)")
    }

    var generator: SimulationRandom { SimulationRandom(seed: seed) }
}
