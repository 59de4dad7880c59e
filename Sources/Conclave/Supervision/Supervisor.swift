// An actor that does nothing but look after its children.

/// A parent without messages of its own: it starts its children in order, restarts those that end, and stops them in reverse.
///
/// A child that fails to start makes the supervisor's own start fail, after those started before it have been stopped.
public struct Supervisor: Behavior {
    /// A supervisor takes no messages.
    public typealias Message = Never

    private let strategy: SupervisionStrategy
    private let intensity: RestartIntensity?
    private let autoShutdown: AutoShutdown
    private let startChildren: (borrowing Context<Never>) throws -> Void

    /// `startChildren` spawns the children through the context, with the restart type of each; the rest is as in
    /// `Context.supervise`.
    public init(
        strategy: SupervisionStrategy = .oneForOne,
        intensity: RestartIntensity? = nil,
        autoShutdown: AutoShutdown = .never,
        _ startChildren: @escaping (borrowing Context<Never>) throws -> Void
    ) {
        self.strategy = strategy
        self.intensity = intensity
        self.autoShutdown = autoShutdown
        self.startChildren = startChildren
    }

    /// It stops when its last child has, however long that takes.
    public static var isSupervisor: Bool { true }

    /// Starts the children, in order.
    public mutating func started(_ context: borrowing Context<Never>) throws {
        context.supervise(strategy, intensity: intensity, autoShutdown: autoShutdown)
        try startChildren(context)
    }

    /// Never called: there is no message.
    public mutating func receive(_ message: consuming Never, _ context: borrowing Context<Never>) {}
}
