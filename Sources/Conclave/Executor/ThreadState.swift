// What the runtime keeps for each thread that sends or runs messages.

public import ConclavePlatform
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// One thread's runtime state, reached through thread-local storage. Only its own thread touches it.
@usableFromInline
struct ThreadState: ~Copyable {
    /// `SizeClass.count` lists of free mailbox nodes.
    @usableFromInline let freeLists: UnsafeMutablePointer<FreeList>
    /// The worker whose loop runs on this thread, if any.
    @usableFromInline var worker: WorkerPointer?
    /// The actor whose handler runs on this thread, if any.
    @usableFromInline var current: CellPointer?
    /// What an unanswered ask fails with if its token is destroyed now; nil outside of the runtime's own clean-up.
    var askFailure: AskError?
    /// Where an agent's action that runs on this thread keeps what it sends to agents. Not retained: the agent's actor has it.
    @usableFromInline var heldSends: Unmanaged<HeldSends>?

    init() {
        freeLists = .allocate(capacity: SizeClass.count)
        freeLists.initialize(repeating: FreeList(), count: SizeClass.count)
    }

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

    private static func release(_ state: ThreadPointer) {
        for sizeClass in 0..<SizeClass.count {
            NodePool.drain(UInt32(sizeClass), state.pointee.freeLists + sizeClass)
        }
        state.pointee.freeLists.deallocate()
        conclave_set_thread_state(nil)
        state.deinitialize(count: 1)
        state.deallocate()
    }
}

@usableFromInline typealias ThreadPointer = UnsafeMutablePointer<ThreadState>
