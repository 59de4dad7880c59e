// How an actor is started, restarted and stopped.

/// When a child that ended by itself is started again.
public enum RestartType: Sendable {
    /// Always.
    case permanent
    /// Only after a failure.
    case transient
    /// Never.
    case temporary
}

/// Which threads run an actor's handlers.
public enum ActorThreads: Sendable {
    /// The system's workers. Handlers must not block.
    case workers
    /// A thread of its own while it has messages: for handlers that block, on a disk for example.
    case ownThread
}

/// How an actor is started, restarted and stopped.
struct SpawnOptions {
    var name: String?
    var restart = RestartType.temporary
    /// How long the actor and its children may take to stop before it is killed; nil waits for ever.
    var stopTimeout: Duration? = .seconds(5)
    var runsOn = ActorThreads.workers
    var intensity: RestartIntensity?
    /// How much waits for the actor, and what happens to what does not fit.
    var mailbox = Mailbox.unbounded
}

/// Why `spawn` refused before the behaviour was made.
public enum SpawnError: Error, Hashable {
    /// A sibling with that name is alive.
    case nameTaken(String)
    /// The parent, or the whole system, is stopping.
    case parentStopping
}

/// Why a supervising actor failed.
public enum SupervisionError: Error {
    /// A child failed more often than the restart intensity allows.
    case restartIntensityExceeded(child: String, lastReason: ExitReason)
}

extension SpawnError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .nameTaken(let name): "the name \"\(name)\" is taken by a sibling that is alive"
        case .parentStopping: "the parent is stopping and takes no more children"
        }
    }
}
