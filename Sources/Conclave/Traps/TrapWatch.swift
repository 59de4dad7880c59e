// Who is woken when a thread has been stopped by a trap, and what becomes of its worker and its actor.

internal import ConclavePlatform
internal import Dispatch
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

extension TrapSignal: CustomStringConvertible {
    /// Its name.
    public var description: String {
        switch number {
        case SIGILL: "SIGILL"
        case SIGTRAP: "SIGTRAP"
        case SIGSEGV: "SIGSEGV"
        case SIGBUS: "SIGBUS"
        case SIGFPE: "SIGFPE"
        default: "signal \(number)"
        }
    }
}

/// A system's account of traps. Without a limit, or on another platform than Linux, nothing is ever isolated.
final class TrapWatch: @unchecked Sendable {
    #if os(Linux)
        // SAFETY: the domain's entries are taken on `queue` only, and it is freed when the source is, at the end of the scheduler;
        // `source` is set before the first trap can come.
        private let domain: OpaquePointer?
        private var source: (any DispatchSourceRead)?
        private let queue = DispatchQueue(label: "conclave.traps")

        init(_ isolation: TrapIsolation) {
            guard isolation.limit > 0 else {
                domain = nil
                return
            }
            domain = conclave_trap_domain_create(Int32(isolation.limit))
            precondition(domain != nil, "no memory or descriptor for trap isolation")
        }

        var areSurvived: Bool { domain != nil }

        /// Calls `handler` for each thread that trapped, which never runs again.
        func begin(_ handler: @escaping @Sendable (ThreadPointer, CellPointer, TrapSignal) -> Void) {
            guard let domain else { return }
            let descriptor = conclave_trap_domain_descriptor(domain)
            let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: queue)
            source.setEventHandler { [self] in
                conclave_eventfd_clear(descriptor)
                var trap = conclave_trap()
                while conclave_trap_domain_take(self.domain, &trap) != 0 {
                    guard let state = trap.thread_state, let cell = CellPointer(bitPattern: UInt(trap.actor)) else {
                        preconditionFailure("a trap without a thread or an actor")
                    }
                    handler(state.assumingMemoryBound(to: ThreadState.self), cell, TrapSignal(number: trap.signal))
                }
            }
            source.setCancelHandler { [self] in conclave_trap_domain_destroy(self.domain) }
            self.source = source
            source.activate()
        }

        /// No thread of the system is left that could trap.
        func end() {
            source?.cancel()
            source = nil
        }

        /// Runs what belongs to actors on a thread whose traps are survived.
        func isolate(_ body: () -> Void) {
            guard let domain else { return body() }
            precondition(conclave_trap_domain_enter(domain) != 0, "no memory for a signal stack")
            body()
            conclave_trap_domain_leave()
        }
    #else
        init(_ isolation: TrapIsolation) {}
        var areSurvived: Bool { false }
        func begin(_ handler: @escaping @Sendable (ThreadPointer, CellPointer, TrapSignal) -> Void) {}
        func end() {}
        func isolate(_ body: () -> Void) { body() }
    #endif
}

extension DispatchScheduler {
    /// A thread has been stopped in the middle of an actor's code. It holds that actor's scheduling right, which is ours from now
    /// on, and perhaps a seat, which gets another thread.
    func bury(_ thread: ThreadPointer, _ cell: CellPointer, _ signal: TrapSignal) {
        lock.lock()
        visitors += 1
        if let seat = seats.first(where: { $0.thread == thread }) {
            if seat.occupancy == .running { awake.subtract(1, ordering: .sequentiallyConsistent) }
            seat.occupancy = .absent
            seat.thread = nil
            // For ever: one thread less for handlers that block. An own thread is counted already.
            ThreadBudget.takeAnyway()
            seat.releaseBudget()
            seat.worker.pointee.needsCheckIn.store(false, ordering: .relaxed)
            seat.renewQueue()
            if let next = seat.worker.rescueNext() { inject(next) }
        } else {
            ownThreads -= 1
            cell.pointee.object.renewOwnQueue()
        }
        lock.unlock()
        // From the inside out: actors that the handler was starting.
        var start = thread.pointee.starting
        while let frame = start {
            frame.pointee.cell.pointee.object.failByTrap(signal, isFirstStart: true)
            start = frame.pointee.outer
        }
        cell.pointee.object.failByTrap(signal, isFirstStart: false)
        notifyOfWork()
        visitorLeft()
    }
}
