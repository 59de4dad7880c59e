import ConclaveSimulation
import Foundation
import PlantedBugs

/// What is written of a run that failed: a scenario, a trace, a timeline.
enum FailureFiles {
    /// Events of a run's end that its trace has.
    static let traceCapacity = 2_000

    /// Writes files, and says of each that it cannot write why.
    static func write(_ files: [(file: String, text: String)]) {
        for (file, text) in files {
            do { try Data(text.utf8).write(to: URL(fileURLWithPath: file)) } catch {
                StandardStreams.writeError("conclave: cannot write \(file): \(error.localizedDescription)\n")
            }
        }
    }
}

extension RaftRunFailure {
    /// Where to look further: the end of the trace, and a timeline where there is one, as files of this name.
    func evidence(named name: String) -> [(file: String, text: String)] {
        [("\(name).trace", "\(complaint)\n\n\(trace)")] + (timeline.map { [("\(name).html", $0)] } ?? [])
    }
}

extension ClusterScenario {
    /// The text of a file for people: where it comes from, how it is played and read, and the scenario.
    func fileText(foundBy command: String, file: String) -> String {
        var head = ["found by: \(command)", "to play it again: conclave sim --scenario \(file)"]
        if let bug { head.append("planted: \(bug.rawValue) (rule \(bug.rule)). \(bug.summary)") }
        head.append(
            "cluster: so many servers, the seed of their world, how long clients work. at: milliseconds since the"
        )
        head.append(
            "start, a fault, the servers that it is about. What happens between the faults follows from the seed."
        )
        return head.map { "# \($0)\n" }.joined() + description
    }
}
