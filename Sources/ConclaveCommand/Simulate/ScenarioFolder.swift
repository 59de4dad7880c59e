import ConclaveSimulation
import Foundation
import PlantedBugs

/// Where the scenarios of planted bugs go: a file a bug, `BUG.scenario`.
struct ScenarioFolder {
    let path: String

    /// Makes the directory if it is missing.
    /// - Throws: `CommandFailure` where no file can be made in it, since that is no news to get after minutes of work.
    init(_ path: String) throws(CommandFailure) {
        self.path = path
        try makeDirectory(path, option: "--scenarios")
        let probe = "\(path)/.conclave-\(getpid())"
        let descriptor = openFile(probe, O_WRONLY | O_CREAT | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw ioFailure("cannot write in \(path) (choose another --scenarios DIR)", errno)
        }
        close(descriptor)
        unlink(probe)
    }

    func file(of trial: PlantedTrial) -> String { "\(path)/\(trial.bug.rawValue).scenario" }

    /// Writes what came of a trial. What an earlier trial left goes where this one has found nothing.
    func keep(_ outcome: PlantedTrial.Outcome, of trial: PlantedTrial) throws(CommandFailure) {
        let file = file(of: trial)
        switch outcome {
        case .caught(let found):
            let text = found.scenario.fileText(
                foundBy: "conclave sim --planted, with seed \(found.failure.seed)",
                file: file
            )
            do { try Data(text.utf8).write(to: URL(fileURLWithPath: file), options: .atomic) } catch {
                throw CommandFailure(code: .ioError, message: "cannot write \(file): \(error.localizedDescription)")
            }
        case .missed: unlink(file)
        case .stopped: break
        }
    }
}
