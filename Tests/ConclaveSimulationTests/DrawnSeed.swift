import ConclaveSimulation
import Foundation

extension SimulationRandom {
    /// A generator whose seed is printed and can be given, so that one command repeats a run: from the environment variable
    /// `CONCLAVE_SEED`, or drawn.
    static func drawn(_ filter: String) -> SimulationRandom {
        let given = ProcessInfo.processInfo.environment["CONCLAVE_SEED"].flatMap { UInt64($0) }
        let seed = given ?? UInt64.random(in: .min ... .max)
        print("to repeat: CONCLAVE_SEED=\(seed) swift test --filter \(filter)")
        return SimulationRandom(seed: seed)
    }
}
