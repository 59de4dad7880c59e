import ConclaveSimulation

/// What all runs came to so far.
struct SimulationTally {
    var runs = 0
    var virtualTime = Duration.zero
    var faults = 0
    var commits = 0
    var elections = 0
    /// Stands for the signatures of all seeds, in whatever order they ended: two processes that ran the same seeds must agree on it.
    var signature: UInt64 = 0

    mutating func add(_ report: RaftRunReport) {
        runs += 1
        virtualTime += report.virtualTime
        faults += report.faults
        commits += report.commits
        elections += report.elections
        // Mixed with the seed, so that two seeds cannot cancel each other out or change places.
        var mixer = SimulationRandom(seed: report.signature ^ report.seed &* 0x9E37_79B9_7F4A_7C15)
        signature ^= mixer.next()
    }

    /// One line: `120 seeds  2.1 simulated hours  8,123 faults  51,870 commits  402 elections  1,830 simulated seconds a second`.
    func line(after elapsed: Duration) -> String {
        let seconds = max(elapsed / .seconds(1), 0.001)
        let simulated = virtualTime / .seconds(1)
        return [
            "\(grouped(runs)) seeds", "\(rounded(simulated / 3_600, to: 10)) simulated hours",
            "\(grouped(faults)) faults",
            "\(grouped(commits)) commits", "\(grouped(elections)) elections",
            "\(grouped(Int(simulated / seconds))) simulated seconds a second",
        ].joined(separator: "  ")
    }

    /// One line: `signature of all seeds 00f3a2…, 1,120 simulated seconds for each second of one core`.
    ///
    /// - Parameter processorTime: of all cores together.
    func closingLine(processorTime: Duration) -> String {
        let hex = String(signature, radix: 16)
        let rate = Int(virtualTime / .seconds(1) / max(processorTime / .seconds(1), 0.001))
        return "signature of all seeds \(String(repeating: "0", count: 16 - hex.count) + hex), "
            + "\(grouped(rate)) simulated seconds for each second of one core"
    }

    private func rounded(_ value: Double, to parts: Double) -> Double { (value * parts).rounded() / parts }
}

/// A number with a comma before every three digits.
func grouped(_ number: Int) -> String {
    var text = ""
    for (place, digit) in String(number).reversed().enumerated() {
        if place > 0, place % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}
