// Readiness from epoll, edge-triggered: one system call a batch, none to re-arm.

#if os(Linux)

    import ConclavePlatform
    import Dispatch
    import Glibc
    import Synchronization

    /// Watches sockets with one epoll set, polled by one thread on a serial queue of its own.
    ///
    /// Each watched socket's token is its watch's address; the set holds one reference to each watch. A cancelled watch is
    /// removed from the set at once, but a batch that was read before may still name it. So its reference is given up by the polling
    /// thread between two batches.
    package final class EpollSocketEvents: SocketEvents {
        private struct State: ~Copyable {
            var isStopped = false
            /// Whether the polling thread may still have a batch in its hands.
            var isPolling = true
            /// Cancelled watches whose reference the polling thread gives up after its current batch.
            var retired: [Unmanaged<EpollWatch>] = []
        }

        private let queue = DispatchQueue(label: "conclave.socket-events")
        fileprivate let epoll: Int32
        /// Wakes the polling thread; token 0 in the set.
        private let wakeUp: Int32
        private let state = Mutex(State())

        /// - Throws: `SocketError` when there is no descriptor left.
        package init() throws(SocketError) {
            epoll = conclave_epoll_create()
            guard epoll >= 0 else { throw .last(.watch) }
            wakeUp = conclave_eventfd_create()
            guard wakeUp >= 0, conclave_epoll_add(epoll, wakeUp, 0, 0) == 0 else {
                let error = SocketError.last(.watch)
                close(epoll)
                if wakeUp >= 0 { close(wakeUp) }
                throw error
            }
            // The polling thread keeps this object alive until `stop`.
            queue.async { self.poll() }
        }

        deinit {
            close(epoll)
            close(wakeUp)
        }

        package func watch(
            _ socket: Socket,
            for interest: Readiness,
            notify: @escaping @Sendable () -> Void
        ) throws(SocketError) -> any SocketWatch {
            let watch = EpollWatch(socket.descriptor, events: self, interest: interest, notify: notify)
            let reference = Unmanaged.passRetained(watch)
            let writing: Int32 = interest.contains(.writable) ? 1 : 0
            guard conclave_epoll_add(epoll, socket.descriptor, writing, reference.token) == 0 else {
                let error = SocketError.last(.watch)
                reference.release()
                throw error
            }
            return watch
        }

        /// Must be called in the end: until then the polling thread waits for events.
        package func stop() {
            state.withLock { $0.isStopped = true }
            conclave_eventfd_signal(wakeUp)
            queue.sync {}
        }

        /// Gives up the set's reference to a watch that was removed from it, when no batch can name it any more.
        fileprivate func retire(_ watch: EpollWatch) {
            let reference = Unmanaged.passUnretained(watch)
            let (mustWake, isOver) = state.withLock { state in
                guard state.isPolling else { return (false, true) }
                state.retired.append(reference)
                return (state.retired.count == 1, false)
            }
            if isOver { reference.release() }
            if mustWake { conclave_eventfd_signal(wakeUp) }
        }

        private func poll() {
            var retired: [Unmanaged<EpollWatch>] = []
            withUnsafeTemporaryAllocation(of: conclave_epoll_event.self, capacity: Int(CONCLAVE_EPOLL_BATCH)) {
                events in
                while mayPoll(&retired) {
                    // Outside the lock: with a watch goes what its `notify` holds, which may cancel another watch.
                    for reference in retired { reference.release() }
                    retired.removeAll(keepingCapacity: true)
                    deliver(batch: events)
                }
            }
            for reference in retired { reference.release() }
        }

        /// Takes over what was retired. False: the polling is over.
        private func mayPoll(_ retired: inout [Unmanaged<EpollWatch>]) -> Bool {
            state.withLock { state in
                swap(&state.retired, &retired)
                state.isPolling = !state.isStopped
                return state.isPolling
            }
        }

        private func deliver(batch events: UnsafeMutableBufferPointer<conclave_epoll_event>) {
            let count = Int(conclave_epoll_wait(epoll, events.baseAddress, -1))
            precondition(count >= 0, "epoll_wait failed: \(SocketError.last(.watch))")
            for event in events[..<count] {
                guard event.token != 0 else {
                    conclave_eventfd_clear(wakeUp)
                    continue
                }
                // SAFETY: the set holds a reference to each watch in it, given up only between two batches.
                Unmanaged<EpollWatch>.at(event.token)._withUnsafeGuaranteedRef {
                    $0.deliver(Readiness(rawValue: event.readiness))
                }
            }
        }
    }

    private final class EpollWatch: SocketWatch {
        private let descriptor: Int32
        private let events: EpollSocketEvents
        private let notify: @Sendable () -> Void
        private let pending = PendingReadiness()
        private let isCancelled = Atomic(false)
        /// Whether the set tells about writability. Only the owner changes it.
        private let isWriting: Atomic<Bool>

        init(
            _ descriptor: Int32,
            events: EpollSocketEvents,
            interest: Readiness,
            notify: @escaping @Sendable () -> Void
        ) {
            self.descriptor = descriptor
            self.events = events
            self.notify = notify
            isWriting = Atomic(interest.contains(.writable))
        }

        func deliver(_ readiness: Readiness) {
            guard !isCancelled.load(ordering: .acquiring) else { return }
            if pending.add(readiness) { notify() }
        }

        func take() -> Readiness {
            let readiness = pending.take()
            return isCancelled.load(ordering: .acquiring) ? [] : readiness
        }

        func again(_ readiness: Readiness) {
            deliver(readiness)
        }

        /// Reading is always told about; only a change of the interest in writing costs a system call, and when it begins the
        /// kernel tells at once if there is room already.
        func rearm(for interest: Readiness) {
            let writing = interest.contains(.writable)
            guard !isCancelled.load(ordering: .acquiring), isWriting.exchange(writing, ordering: .relaxed) != writing
            else {
                return
            }
            let token = Unmanaged.passUnretained(self).token
            let result = conclave_epoll_modify(events.epoll, descriptor, writing ? 1 : 0, token)
            precondition(result == 0, "a watched socket was closed before its watch was cancelled")
        }

        func cancel() {
            guard !isCancelled.exchange(true, ordering: .acquiringAndReleasing) else { return }
            let result = conclave_epoll_remove(events.epoll, descriptor)
            precondition(result == 0, "a watched socket was closed before its watch was cancelled")
            events.retire(self)
        }
    }

    extension Unmanaged<EpollWatch> {
        fileprivate var token: UInt64 { UInt64(UInt(bitPattern: toOpaque())) }

        // SAFETY: `token` came from the property above, and the object is alive as the caller says.
        fileprivate static func at(_ token: UInt64) -> Self {
            fromOpaque(UnsafeRawPointer(bitPattern: UInt(token)).unsafelyUnwrapped)
        }
    }

#endif
