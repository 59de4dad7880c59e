// A tree of actors and the threads and timers they share.

internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A system of actors. Actors spawned here are children of its root, which supervises them one for one.
///
/// A system lives until `shutdown`, also when nobody refers to it.
public final class ActorSystem: @unchecked Sendable {
    // SAFETY: `liveRoot` and `endReason` are only touched under `rootLock`; everything else is constant, atomic or under a lock.

    /// For people to read.
    public let name: String
    @usableFromInline let timers: TimerService
    package let scheduler: any Scheduler
    /// In memory of its own, and never copied: it is called with each message, and all threads would count its references on one word.
    let instrument: UnsafePointer<any Instrument>?
    let inquiries = Inquiries()
    private let rootLock = SpinLock()
    /// Nil once the root has ended: actors refer to their system, so that this reference is what keeps an idle system alive.
    private var liveRoot: ActorCell?
    /// How the root ended, once it has.
    private var endReason: ExitReason?
    let cellCount = ShardedCount()
    /// What happens in the system, for whoever subscribes; its sequences end with the shutdown.
    public let events = Topic<SystemEvent>()
    let counters = EventCounters()
    /// The names of the system's actors, and its groups.
    public let registry = Registry()
    private let generator: Guarded<SeededRandom>
    private static let liveSystems = Atomic<Int>(0)

    /// Makes a system whose actors run on Dispatch threads.
    ///
    /// - Parameters:
    ///   - name: for people to read.
    ///   - workers: the most threads that run actors at a time; the machine's processors by default.
    ///   - restartIntensity: how often actors spawned here may be restarted; beyond that the system shuts down.
    ///   - watchdog: how long a handler may hold its worker without saying so by `Context.blocking`; after that another worker
    ///     takes its place and `SystemEvent.workerBlocked` tells who it was. A millisecond at least; nil for no watchdog:
    ///     then the actor that such a handler woke last waits for its end.
    ///   - trapIsolation: whether an actor that traps fails alone; see `TrapIsolation` for what that costs.
    ///   - instrument: is told of each actor and each message.
    public convenience init(
        _ name: String,
        workers: Int = ActorSystem.processorCount,
        restartIntensity: RestartIntensity = .default,
        watchdog: Duration? = .milliseconds(100),
        trapIsolation: TrapIsolation = .off,
        instrument: (any Instrument)? = nil
    ) {
        let scheduler = DispatchScheduler(
            workerCount: workers,
            patience: watchdog,
            trapIsolation: trapIsolation
        )
        self.init(
            name,
            scheduler: scheduler,
            time: DispatchTimeSource(),
            restartIntensity: restartIntensity,
            instrument: instrument,
            seed: .random(in: .min ... .max)
        )
        scheduler.report(blocked: { [weak self] in self?.publish(.workerBlocked($0)) })
    }

    /// Makes a system on a scheduler and a clock of the caller's choice: the seam of simulation.
    package init(
        _ name: String,
        scheduler: any Scheduler,
        time: any TimeSource,
        restartIntensity: RestartIntensity = .default,
        instrument: (any Instrument)? = nil,
        seed: UInt64 = 0
    ) {
        self.name = name
        Self.liveSystems.add(1, ordering: .relaxed)
        generator = Guarded(SeededRandom(seed: seed))
        self.scheduler = scheduler
        self.instrument = instrument.map { instrument in
            let memory = UnsafeMutablePointer<any Instrument>.allocate(capacity: 1)
            memory.initialize(to: instrument)
            return UnsafePointer(memory)
        }
        timers = TimerService(source: time)
        let options = SpawnOptions(intensity: restartIntensity)
        let root = ActorCell(
            runtime: Supervisor.self,
            system: Unmanaged.passUnretained(self),
            parent: nil,
            name: nil,
            options: options,
            factory: BehaviorFactory { Supervisor { _ in } }
        )
        root.require().system = self
        _ = root.children
        liveRoot = root
        do { try root.startFirst(nil) } catch { preconditionFailure("the root of a system failed to start: \(error)") }
    }

    deinit {
        Self.liveSystems.add(-1, ordering: .relaxed)
        if let instrument = UnsafeMutablePointer(mutating: instrument) {
            instrument.deinitialize(count: 1)
            instrument.deallocate()
        }
    }

    /// The machine's processors.
    public static var processorCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Starts an actor below the system's root. Its `started` runs on the calling thread, before this returns.
    ///
    /// The parameters are those of `Context.spawn`.
    /// - Throws: `SpawnError`, or what `make` or `started` throws; then nothing is left behind.
    @inlinable
    @discardableResult
    public func spawn<Child: ActorBehavior>(
        _ name: String? = nil,
        options: SpawnOptions = SpawnOptions(),
        _ make: @escaping @Sendable () throws -> Child
    ) throws -> ActorRef<Child.Message> {
        return try ActorCell.spawn(under: rootForSpawn(), name, options, make)
    }

    /// Ends an actor that was spawned here for good, whatever its restart type, as its `shutdown` says. Returns at once.
    public func stop<Message>(_ actor: ActorRef<Message>) {
        precondition(actor.cell.parent != nil && actor.cell.parent === root, "\(actor) was not spawned by its system")
        actor.cell.orderEnd(isFinal: true)
    }

    /// Stops all actors in the reverse order of their start, waits for them, and gives all threads and timers back.
    ///
    /// Also returns when the system has been shut down before.
    public func shutdown() async {
        requestShutdown()
        _ = await terminated()
        await timers.shutdown()
        await scheduler.shutdown()
        events.finish()
    }

    /// Waits until the system has ended: by `shutdown`, or because actors failed more often than its restart intensity allows.
    public func terminated() async -> ExitReason {
        guard let root else { return .noProcess }
        return await ActorRef<Never>(root).terminated()
    }

    /// Asks all actors to stop, and does not wait.
    func requestShutdown() { root?.header.post(.stop) }

    /// A number for jitter.
    func random() -> UInt64 { generator.withLock { $0.next() } }

    /// The root of the tree; nil once it has ended.
    var root: ActorCell? { rootLock.withLock { liveRoot } }

    /// Ends all actors without their `stopping` hooks: what a simulated machine does when it crashes.
    package func kill() { root?.header.post(.kill) }

    @usableFromInline
    func rootForSpawn() throws(SpawnError) -> ActorCell {
        guard let root else { throw .parentStopping }
        return root
    }

    /// The root has ended: before anybody is told.
    func rootHasEnded(_ reason: ExitReason) {
        rootLock.lock()
        defer { rootLock.unlock() }
        endReason = reason
    }

    /// The error of a root that gave up.
    var failure: (any Error)? {
        rootLock.lock()
        defer { rootLock.unlock() }
        return if case .failed(let error) = endReason { error } else { nil }
    }

    /// The root has had its last drain.
    func rootIsGone() {
        rootLock.lock()
        defer { rootLock.unlock() }
        liveRoot = nil  // not the last reference: the caller holds one
    }

    /// Runs tasks on this system's workers, beside its actors: `withTaskExecutorPreference(system.taskExecutor) { … }`. A task
    /// that talks to actors from there does so without a change of threads. It must not block, and may go on after `shutdown`.
    public var taskExecutor: any TaskExecutor { scheduler }

    /// Actors whose memory is in use, the root among them; for tests.
    package var liveCellCount: Int { cellCount.sum }
    /// Timers that have neither fired nor been cancelled; for tests.
    package var liveTimerCount: Int { timers.count }
    /// Systems of this process whose memory is in use; for tests.
    package static var liveSystemCount: Int { liveSystems.load(ordering: .relaxed) }
    /// Mailbox nodes and actors' memory in use in this process, while no system runs; for tests.
    package static var nodesInUse: Int { NodePool.inUse }
    /// Questions of snapshots that actors have not come to; for tests.
    package var openInquiryCount: Int { inquiries.count }
}

extension ActorCell {
    /// Makes, registers and starts an actor on the calling thread.
    ///
    /// Specialised where it is called, since unspecialised code would ask for metadata at each spawn. An actor that is never
    /// restarted is made straight by `make`: no factory is allocated.
    @inlinable
    static func spawn<Child: ActorBehavior>(
        under parent: ActorCell,
        _ name: String?,
        _ options: SpawnOptions,
        _ make: @escaping @Sendable () throws -> Child
    ) throws -> ActorRef<Child.Message> {
        precondition(MemoryLayout<Child.Message>.alignment <= 16, "messages are aligned to 16 bytes at most")
        if case .timeout = options.shutdown, Child.isSupervisor { throw SpawnError.supervisorNeedsTime }
        let factory = options.restart == .temporary ? nil : BehaviorFactory(make)
        let cell = try register(Child.self, under: parent, name, options, factory)
        try withUnsafePointer(to: FirstStart(make: make)) { try cell.startFirst(UnsafeRawPointer($0)) }
        return ActorRef(cell)
    }

    /// What of `spawn` is the same for all behaviours.
    @usableFromInline
    static func register(
        _ runtime: any BehaviorRuntime.Type,
        under parent: ActorCell,
        _ name: String?,
        _ options: SpawnOptions,
        _ factory: AnyObject?
    ) throws(SpawnError) -> ActorCell {
        if options.isSignificant { try parent.checkSignificant(options) }
        let cell = ActorCell(
            runtime: runtime,
            system: parent.owningSystem,
            parent: Unmanaged.passUnretained(parent),
            name: name,
            options: options,
            factory: factory
        )
        if let refusal = parent.add(cell) {
            cell.abandon()
            throw refusal
        }
        return cell
    }
}
