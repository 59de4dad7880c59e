// A parent whose children come and go: OTP's simple_one_for_one.

/// A supervisor of any number of children of one kind, each made from an argument when it is asked for.
///
/// Children are restarted one for one, from their argument. When the supervisor ends they stop all at once, in no
/// order: they do not depend on each other.
///
/// ```swift
/// let rooms = try system.spawn("rooms") { DynamicSupervisor(options: .transient) { ChatRoom(topic: $0) } }
/// let room = try await rooms.start("swift")
/// ```
public struct DynamicSupervisor<Argument: Sendable, Child: Behavior>: Behavior {
    /// What this supervisor understands; see the methods of its reference.
    public typealias Message = DynamicSupervisorMessage<Argument, Child.Message>

    private let options: SpawnOptions
    private let intensity: RestartIntensity?
    private let autoShutdown: AutoShutdown
    private let make: @Sendable (Argument) throws -> Child
    /// Who waits for the end of a child.
    private var stopping: [ActorRef<Child.Message>: [Reply<Void>]] = [:]

    /// A supervisor without children.
    ///
    /// - Parameters:
    ///   - options: those of every child.
    ///   - intensity: how often children may be restarted; nil for that of the supervisor's own `SpawnOptions`.
    ///   - autoShutdown: whether the supervisor ends when its significant children have.
    ///   - make: makes a child's behaviour, once for each incarnation.
    public init(
        options: SpawnOptions = SpawnOptions(),
        intensity: RestartIntensity? = nil,
        autoShutdown: AutoShutdown = .never,
        _ make: @escaping @Sendable (Argument) throws -> Child
    ) {
        self.options = options
        self.intensity = intensity
        self.autoShutdown = autoShutdown
        self.make = make
    }

    /// It stops when its last child has, however long that takes.
    public static var isSupervisor: Bool { true }

    /// Starts nothing.
    public mutating func started(_ context: borrowing Context<Message>) throws {
        context.supervise(.oneForOne, intensity: intensity, autoShutdown: autoShutdown)
        context.object.children.stopTogether = true
    }

    /// Starts, stops and counts.
    public mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch message.request {
        case .start(let argument, let name, let reply):
            let child = ArgumentedChild(argument: argument, make: make)
            reply(Result { try context.spawn(name, options: options, child.behavior) })
        case .stop(let child, let reply):
            guard child.cell.parent === context.object else { return reply() }
            if stopping[child] == nil { context.monitor(child) { _ in Message(request: .ended(child)) } }
            stopping[child, default: []].append(reply)
            context.stop(child)
        case .ended(let child): for reply in stopping.removeValue(forKey: child) ?? [] { reply() }
        case .children(let reply):
            reply((context.object.relations?.children?.all ?? []).map { ActorRef<Child.Message>($0) })
        }
    }
}

/// What one child is made from, again on each restart.
private struct ArgumentedChild<Argument: Sendable, Child: Behavior>: Sendable {
    let argument: Argument
    let make: @Sendable (Argument) throws -> Child

    @Sendable func behavior() throws -> Child { try make(argument) }
}

/// A request to a `DynamicSupervisor`.
public struct DynamicSupervisorMessage<Argument: Sendable, ChildMessage>: Sendable {
    enum Request: Sendable {
        case start(Argument, name: String?, Reply<Result<ActorRef<ChildMessage>, any Error>>)
        case stop(ActorRef<ChildMessage>, Reply<Void>)
        case ended(ActorRef<ChildMessage>)
        case children(Reply<[ActorRef<ChildMessage>]>)
    }
    let request: Request

    /// Starts a child and answers with it, or with why it could not be started; for use in `Context.ask`.
    public static func start(
        _ argument: Argument,
        name: String? = nil,
        _ reply: Reply<Result<ActorRef<ChildMessage>, any Error>>
    ) -> Self { Self(request: .start(argument, name: name, reply)) }

    /// Ends a child for good and answers when it has; at once if it is none of this supervisor's children.
    public static func stop(_ child: ActorRef<ChildMessage>, _ reply: Reply<Void>) -> Self {
        Self(request: .stop(child, reply))
    }

    /// Answers with the children, in the order of their start, those that wait for a restart among them.
    public static func children(_ reply: Reply<[ActorRef<ChildMessage>]>) -> Self { Self(request: .children(reply)) }
}

extension ActorRef {
    /// Starts a child of this dynamic supervisor.
    /// - Throws: `SpawnError`, what making or starting the child throws, or `AskError`, as `ask`.
    public func start<Argument, ChildMessage>(
        _ argument: Argument,
        name: String? = nil,
        timeout: Duration = .seconds(5)
    ) async throws -> ActorRef<ChildMessage> where Message == DynamicSupervisorMessage<Argument, ChildMessage> {
        try await ask(timeout: timeout) { .start(argument, name: name, $0) }.get()
    }

    /// Ends a child of this dynamic supervisor for good and waits until it has.
    /// - Throws: `AskError`, as `ask`.
    public func stop<Argument, ChildMessage>(
        _ child: ActorRef<ChildMessage>,
        timeout: Duration = .seconds(5)
    ) async throws where Message == DynamicSupervisorMessage<Argument, ChildMessage> {
        try await ask(timeout: timeout) { .stop(child, $0) }
    }

    /// The children of this dynamic supervisor, in the order of their start, those that wait for a restart among them.
    /// - Throws: `AskError`, as `ask`.
    public func children<Argument, ChildMessage>(
        timeout: Duration = .seconds(5)
    ) async throws -> [ActorRef<ChildMessage>] where Message == DynamicSupervisorMessage<Argument, ChildMessage> {
        try await ask(timeout: timeout) { .children($0) }
    }
}
