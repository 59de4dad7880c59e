import ConclaveSimulation

/// What all runs came to so far.
struct SimulationTally {
    var runs = 0
    var virtualTime = Duration.zero
    var faults = 0
    var commits = 0
    var elections = 0

    mutating func add(_ report: RaftRunReport) {
        runs += 1
        virtualTime += report.virtualTime
        faults += report.faults
        commits += report.commits
        elections += report.elections
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
