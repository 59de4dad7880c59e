import ConclaveSimulation

/// What `conclave sim` was asked to do.
struct SimulateOptions: Equatable {
    var firstSeed: UInt64 = 0
    /// Seeds one after the other from the first; nil: until somebody stops it.
    var runs: Int? = 100
    /// Simulated minutes under faults in each run, to the millisecond.
    var minutes = 1.0
    /// Servers.
    var nodes = 3
    var profile = FaultProfile.all
    /// Each seed is run twice, and must take the same steps.
    var isRepeated = false
    /// A file with the faults of the run, instead of those of its seed.
    var plan: String?
    /// Instead of all that: a file with a scenario to play.
    var scenario: String?
    /// Instead of all that: known bugs are planted, to see them caught.
    var plantsBugs = false
    /// Where the scenarios of planted bugs go.
    var scenarioDirectory = "conclave-planted"

    /// The arguments that repeat one seed.
    func replay(_ seed: UInt64) -> String {
        let minutes = minutes == minutes.rounded() ? "\(Int(minutes))" : "\(minutes)"
        return
            "conclave sim --seed \(seed) --runs 1 --minutes \(minutes) --nodes \(nodes) --profile \(profile.rawValue)"
    }
}
