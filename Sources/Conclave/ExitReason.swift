// Why an actor ended, in OTP's terms.

/// Why an actor, or one incarnation of it, ended.
public enum ExitReason: Sendable {
    /// It stopped by itself.
    case normal
    /// It was asked to stop, by its parent or by `ActorRef.stop`.
    case shutdown
    /// Its handler, or `started`, threw.
    case failed(any Error)
    /// It was killed: its `stopping` hook did not run.
    case killed
    /// There was nobody: the actor had already ended when it was monitored.
    case noProcess
    /// The connection to the actor's machine was lost.
    case noConnection

    /// Whether a `transient` child that ended so stays ended.
    public var isNormal: Bool {
        switch self {
        case .normal, .shutdown: true
        case .failed, .killed, .noProcess, .noConnection: false
        }
    }
}

extension ExitReason: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .normal: "normal"
        case .shutdown: "shutdown"
        case .failed(let error): "failed(\(error))"
        case .killed: "killed"
        case .noProcess: "noProcess"
        case .noConnection: "noConnection"
        }
    }
}
