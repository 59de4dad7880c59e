// What the runtime keeps for each thread that sends or runs messages.

public import ConclavePlatform
public import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// One thread's runtime state, reached through thread-local storage. Only its own thread touches what is not atomic.
@usableFromInline
struct ThreadState: ~Copyable {
    /// The address of the actor that this thread runs, `job` while it runs a piece of a task, or 0. Other threads may look at it; see
    /// `leave`. The first word: trap isolation's signal handler reads it.
    @usableFromInline let running = Atomic<UInt>(0)
    /// Another thread is about to reach for the actor in `running`.
    @usableFromInline let isObserved = Atomic<Bool>(false)
    /// `SizeClass.count` lists of free mailbox nodes.
    @usableFromInline let freeLists: UnsafeMutablePointer<FreeList>
    /// The worker whose loop runs on this thread, if any.
    @usableFromInline var worker: WorkerPointer?
    /// The actor whose handler runs on this thread, if any.
    @usableFromInline var current: CellPointer?
    /// The `FirstStart` of the actor that is being spawned, until its behaviour is made.
    @usableFromInline var firstStart: UnsafeRawPointer?
    /// Actors whose first start, or what follows at once from it, is under way on this thread, the innermost first.
    var starting: UnsafeMutablePointer<StartFrame>?
    /// What an unanswered ask fails with if its token is destroyed now; nil outside of the runtime's own clean-up.
    var askFailure: AskError?
    /// How often the task that runs on this thread may still lend it to an actor that it asks; 0 outside of tasks on workers.
    var lendingsLeft = 0
    /// When the task that runs on this thread was first looked at for how long it has lent it; 0 before that.
    var lentSince: UInt64 = 0
    /// When an asynchronous handler that runs on this thread first took a message since it began or went on; 0 before that.
    @usableFromInline var pieceStart: UInt64 = 0
    /// This thread is giving an event to its subscribers.
    var isPublishing = false
    /// Where an agent's action that runs on this thread keeps what it sends to agents. Not retained: the agent's actor has it.
    @usableFromInline var heldSends: Unmanaged<HeldSends>?
    /// How many messages an actor receives on this thread before it looks whether its batch has lasted long enough.
    @usableFromInline var messagesToFirstCheck = BatchLimit.firstClockCheck
    /// Its batch ends at the first such look: set while a simulation runs on this thread.
    @usableFromInline var yieldsAtCheck = false

    init() {
        freeLists = .allocate(capacity: SizeClass.count)
        freeLists.initialize(repeating: FreeList(), count: SizeClass.count)
    }

    /// Stands in `running` for a piece of a task.
    static var job: UInt { 1 }

    /// The calling thread's state, made at its first use and returned when the thread ends.
    @inlinable
    static var current: ThreadPointer {
        if let state = conclave_thread_state() { return state.assumingMemoryBound(to: ThreadState.self) }
        return makeCurrent()
    }

    @usableFromInline @inline(never)
    static func makeCurrent() -> ThreadPointer {
        let state = ThreadPointer.allocate(capacity: 1)
        state.initialize(to: ThreadState())
        let address = UInt(bitPattern: state)
        all.withLock { _ = $0.insert(address) }
        conclave_set_thread_state(state)
        pthread_setspecific(endOfThread, state)
        return state
    }

    /// A thread-specific key whose destructor gives the thread's nodes back.
    private static let endOfThread: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key) { state in
            #if canImport(Glibc)
                guard let state else { return }
            #endif
            ThreadState.release(state.assumingMemoryBound(to: ThreadState.self))
        }
        precondition(status == 0, "pthread_key_create failed: \(status)")
        return key
    }()

    /// The addresses of the states of all threads that have one.
    private static let all = Guarded<Set<UInt>>([])

    /// The nodes in their free lists; see `NodePool.inUse` for when this may be asked for.
    static var freeNodes: Int {
        all.withLock { states in
            states.reduce(0) { sum, address in
                let lists = ThreadPointer(bitPattern: address).unsafelyUnwrapped.pointee.freeLists
                return (0..<SizeClass.count).reduce(sum) { $0 + lists[$1].count }
            }
        }
    }

    private static func release(_ state: ThreadPointer) {
        let address = UInt(bitPattern: state)
        all.withLock { _ = $0.remove(address) }
        for sizeClass in 0..<SizeClass.count {
            NodePool.drain(UInt32(sizeClass), state.pointee.freeLists + sizeClass)
        }
        state.pointee.freeLists.deallocate()
        conclave_set_thread_state(nil)
        state.deinitialize(count: 1)
        state.deallocate()
    }
}

/// One first start under way, or what follows at once from it, on the stack of the thread that spawns.
struct StartFrame {
    let cell: CellPointer
    let outer: UnsafeMutablePointer<StartFrame>?
    /// What `running` says of the thread that spawns.
    let running: UInt
}

@usableFromInline typealias ThreadPointer = UnsafeMutablePointer<ThreadState>

extension UnsafeMutablePointer where Pointee == ThreadState {
    /// Runs `body`, in which an ask whose token is destroyed fails with `error`; nil: as in any handler.
    func withAskFailure<Result>(_ error: AskError?, _ body: () -> Result) -> Result {
        let before = pointee.askFailure
        pointee.askFailure = error
        defer { pointee.askFailure = before }
        return body()
    }

    /// The thread begins to run an actor whose scheduling right it holds.
    ///
    /// Releasing: the watchdog that sees it here sees also that a new batch was counted, and that the next-slot was emptied for it.
    @inlinable
    func enter(_ cell: CellPointer) { pointee.running.store(UInt(bitPattern: cell), ordering: .releasing) }

    /// Whether a batch that has not lasted too long is to end all the same. Asked when the clock is looked at.
    @usableFromInline @inline(never)
    var mustYield: Bool { pointee.yieldsAtCheck || pointee.worker?.hasWokenMany == true }

    /// The thread begins to run a piece of a task. Releasing: as `enter`.
    func enterJob() { pointee.running.store(ThreadState.job, ordering: .releasing) }

    /// The thread is about to give the right away, after which the actor may be freed at any moment.
    ///
    /// A hazard pointer: whoever reads `running` announces itself in `isObserved`, runs the heavy fence and then reads. Either it
    /// sees our 0, or we see its announcement and wait until it has taken a reference of its own.
    @inlinable
    func leave() {
        pointee.running.store(0, ordering: .relaxed)
        conclave_light_fence()
        // Acquiring: the observer is done with the actor before anybody frees it.
        if pointee.isObserved.load(ordering: .acquiring) { waitForObserver() }
    }

    @usableFromInline @inline(never)
    func waitForObserver() {
        while pointee.isObserved.load(ordering: .acquiring) { SpinLock.pause() }
    }
}
