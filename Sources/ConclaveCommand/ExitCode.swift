/// What the process says to its parent when it ends; the numbers are those of sysexits.h.
enum ExitCode: Int32, Error, Equatable {
    /// Done, or stopped because somebody asked for it.
    case success = 0
    /// The server answered a one-shot client with an error.
    case errorReply = 1
    /// A simulated cluster broke one of its promises.
    case violation = 2
    /// A simulated cluster did not go on after its faults had healed.
    case noProgress = 3
    /// An order may have been carried out, or still be: nobody can tell.
    case unknownOutcome = 4
    /// The arguments make no sense (EX_USAGE). Nothing was started.
    case usage = 64
    /// The data on disk is corrupt or of another cluster (EX_DATAERR). Starting again does not help.
    case dataError = 65
    /// A port is taken, or nobody listens there (EX_UNAVAILABLE).
    case unavailable = 69
    /// A fault of our own (EX_SOFTWARE).
    case software = 70
    /// A file could not be read or written (EX_IOERR).
    case ioError = 74
}

/// A fault of the world that ends the command: what happened and what to do, and the code to end with.
struct CommandFailure: Error, Equatable {
    var code: ExitCode
    var message: String
}
