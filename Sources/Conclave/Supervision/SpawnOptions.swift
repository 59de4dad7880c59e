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

/// How a parent stops a child.
public enum Shutdown: Hashable, Sendable {
    /// It is killed: neither its `stopping` hook nor those below it run.
    case brutalKill
    /// It is asked to stop, and killed if it and its children take longer.
    case timeout(Duration)
    /// It is asked to stop, and may take as long as it needs.
    case infinite

    /// OTP's default for a worker: five seconds.
    public static let `default` = Shutdown.timeout(.seconds(5))
}

/// What becomes of the messages that wait when an actor is restarted.
public enum OnRestart: Hashable, Sendable {
    /// The next incarnation receives them. Only the message whose handler failed is lost.
    case keepMailbox
    /// The next incarnation starts with an empty mailbox: they become dead letters, and asks among them fail with `restarted`.
    case discardMailbox
}

/// Which threads run an actor's handlers.
public enum ActorThreads: Sendable {
    /// The system's workers. Handlers must not block.
    case workers
    /// A thread of its own while it has messages: for handlers that block, on a disk for example. Some 220 such threads are to be had
    /// in a process, those of `Context.blocking` among them; beyond that an actor waits until one is free.
    case ownThread
}

/// How an actor is started, restarted and stopped.
///
/// The same for every incarnation. `.permanent` and `.transient` are short for the options that differ in nothing else.
public struct SpawnOptions: Sendable {
    /// When the actor is started again after it ended by itself.
    public var restart: RestartType
    /// How its parent stops it. Nil: within five seconds, a supervisor without limit.
    public var shutdown: Shutdown?
    /// Whether its end may end its parent, as the parent's `AutoShutdown` says.
    public var isSignificant: Bool
    /// How long it waits for its next start after a failure; nil: not at all.
    public var backoff: RestartBackoff?
    /// What becomes of its waiting messages when it is restarted.
    public var onRestart: OnRestart
    /// Where its handlers run.
    public var runsOn: ActorThreads
    /// How often its own children may be restarted.
    public var intensity: RestartIntensity
    /// How many messages wait for it, and what happens to more.
    public var mailbox: Mailbox

    /// The options given, and the defaults for the others.
    public init(
        restart: RestartType = .temporary,
        shutdown: Shutdown? = nil,
        isSignificant: Bool = false,
        backoff: RestartBackoff? = nil,
        onRestart: OnRestart = .keepMailbox,
        runsOn: ActorThreads = .workers,
        intensity: RestartIntensity = .default,
        mailbox: Mailbox = .unbounded
    ) {
        self.restart = restart
        self.shutdown = shutdown
        self.isSignificant = isSignificant
        self.backoff = backoff
        self.onRestart = onRestart
        self.runsOn = runsOn
        self.intensity = intensity
        self.mailbox = mailbox
    }

    /// Restarted however it ends.
    public static let permanent = SpawnOptions(restart: .permanent)
    /// Restarted after a failure.
    public static let transient = SpawnOptions(restart: .transient)
}

/// Why `spawn` refused before the behaviour was made.
public enum SpawnError: Error, Hashable {
    /// A sibling with that name is alive.
    case nameTaken(String)
    /// The parent, or the whole system, is stopping.
    case parentStopping
    /// A supervisor's `shutdown` has a timeout: its children could outlive it.
    case supervisorNeedsTime
    /// A significant child of a parent whose `AutoShutdown` is `never`.
    case significantWithoutAutoShutdown
    /// A significant child that is permanent: it is always started again, so its end never counts.
    case significantAndPermanent
}

/// Why a system ended by itself.
public enum SupervisionError: Error, Hashable {
    /// A child of the system's root failed more often than its restart intensity allows.
    case restartIntensityExceeded(child: String)
}

extension SpawnError: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .nameTaken(let name): "the name \"\(name)\" is taken by a sibling that is alive"
        case .parentStopping: "the parent is stopping and takes no more children"
        case .supervisorNeedsTime: "a supervisor may not be given a time to stop in: it needs as long as its children"
        case .significantWithoutAutoShutdown: "a significant child needs a parent with an automatic shutdown"
        case .significantAndPermanent: "a permanent child cannot be significant: it is always started again"
        }
    }
}
