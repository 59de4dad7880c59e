import ConclaveNet
import Synchronization
import Testing

/// Every watcher, by name: the contract below holds for each.
enum Watcher: String, CaseIterable, CustomTestStringConvertible {
    case dispatch
    #if os(Linux)
        case epoll
    #endif

    func make() throws -> any SocketEvents {
        switch self {
        case .dispatch: DispatchSocketEvents()
        #if os(Linux)
            case .epoll: try EpollSocketEvents()
        #endif
        }
    }

    var testDescription: String { rawValue }
}

/// Collects notifications as an owner's mailbox would.
final class Notifications: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation
    private let count = Atomic(0)

    init() { (stream, continuation) = AsyncStream.makeStream(of: Void.self) }

    var total: Int { count.load(ordering: .acquiring) }

    func add() {
        count.add(1, ordering: .acquiringAndReleasing)
        continuation.yield()
    }

    /// Waits for the next notification. The suite's time limit ends a wait in vain.
    func next() async {
        for await _ in stream { return }
    }
}

extension Loopback {
    @Suite("Readiness: the contract of every watcher")
    struct SocketEventsTests {
        @Test("bytes are told once until they are taken, and again after re-arming", arguments: Watcher.allCases)
        func readable(watcher: Watcher) async throws {
            let events = try watcher.make()
            defer { events.stop() }
            let pair = try Pair()
            let notifications = Notifications()
            let watch = try events.watch(pair.server, for: .readable) { notifications.add() }
            for round in 1...3 {
                #expect(send([UInt8(round)], on: pair.client) == .bytes(1))
                await notifications.next()
                #expect(watch.take().contains(.readable))
                #expect(receive(10, on: pair.server).1 == [UInt8(round)])
                #expect(notifications.total == round)
                watch.rearm(for: .readable)
            }
            watch.cancel()
        }

        @Test("one notification stands for all that happens before it is taken", arguments: Watcher.allCases)
        func coalesced(watcher: Watcher) async throws {
            let events = try watcher.make()
            defer { events.stop() }
            let pair = try Pair()
            let notifications = Notifications()
            let watch = try events.watch(pair.server, for: .readable) { notifications.add() }
            for _ in 0..<100 { #expect(send([1], on: pair.client) == .bytes(1)) }
            // A second socket's notification comes behind all of the first's.
            let other = try Pair()
            let barrier = Notifications()
            let otherWatch = try events.watch(other.server, for: .readable) { barrier.add() }
            #expect(send([1], on: other.client) == .bytes(1))
            await notifications.next()
            await barrier.next()
            #expect(notifications.total == 1)
            watch.cancel()
            otherWatch.cancel()
        }

        @Test("the end of the stream and bytes before it are readable", arguments: Watcher.allCases)
        func endOfStream(watcher: Watcher) async throws {
            let events = try watcher.make()
            defer { events.stop() }
            let pair = try Pair()
            #expect(send([1], on: pair.client) == .bytes(1))
            pair.client.shutdown()
            let notifications = Notifications()
            let watch = try events.watch(pair.server, for: .readable) { notifications.add() }
            var result = Transfer.wouldBlock
            while result != .endOfStream {
                await notifications.next()
                let readiness = watch.take()
                // What an owner does: a short read ends the turn unless the other side has hung up.
                repeat {
                    result = receive(10, on: pair.server).0
                } while readiness.contains(.hangUp) && result != .endOfStream && result != .wouldBlock
                watch.rearm(for: .readable)
            }
            watch.cancel()
        }

        @Test("writing is told when a full socket has room again, and only when asked for", arguments: Watcher.allCases)
        func writable(watcher: Watcher) async throws {
            let events = try watcher.make()
            defer { events.stop() }
            let pair = try Pair()
            let notifications = Notifications()
            let watch = try events.watch(pair.client, for: .readable) { notifications.add() }
            var buffer = SendBuffer()
            let total = 30_000_000
            try #require(appended([UInt8](repeating: 9, count: total), to: &buffer))
            try #require(flushed(&buffer, to: pair.client) == .pending)
            #expect(notifications.total == 0)
            watch.rearm(for: [.readable, .writable])
            var received = 0
            while received < total {
                while case (.bytes(let count), _) = receive(1 << 20, on: pair.server) { received += count }
                guard !buffer.isEmpty else { continue }
                await notifications.next()
                guard watch.take().contains(.writable) else { continue }
                let flush = buffer.flush(to: pair.client)
                watch.rearm(for: flush == .pending ? [.readable, .writable] : .readable)
            }
            #expect(received == total)
            watch.cancel()
        }

        @Test("a connection attempt's end is writable", arguments: Watcher.allCases)
        func connecting(watcher: Watcher) async throws {
            let events = try watcher.make()
            defer { events.stop() }
            let listener = try Socket.listen(on: .loopback(port: 0))
            let address = try #require(listener.localAddress)
            let client = try Socket.connect(to: address)
            let notifications = Notifications()
            let watch = try events.watch(client, for: .writable) { notifications.add() }
            await notifications.next()
            #expect(watch.take().contains(.writable))
            try client.finishConnecting(to: address)
            watch.cancel()
        }

        @Test("an owner that stopped early notifies itself", arguments: Watcher.allCases)
        func again(watcher: Watcher) async throws {
            let events = try watcher.make()
            defer { events.stop() }
            let pair = try Pair()
            let notifications = Notifications()
            let watch = try events.watch(pair.server, for: .readable) { notifications.add() }
            watch.again(.readable)
            watch.again(.readable)
            await notifications.next()
            #expect(notifications.total == 1)
            #expect(watch.take() == .readable)
            #expect(watch.take() == [])
            watch.cancel()
        }

        @Test("nothing is told after cancelling, and the descriptor closes", arguments: Watcher.allCases)
        func cancel(watcher: Watcher) async throws {
            let events = try watcher.make()
            let pair = try Pair()
            let notifications = Notifications()
            do {
                let watch = try events.watch(pair.server, for: .readable) { notifications.add() }
                watch.cancel()
                watch.cancel()
                #expect(send([1], on: pair.client) == .bytes(1))
                watch.again(.readable)
                watch.rearm(for: [.readable, .writable])
                #expect(watch.take() == [])
            }
            events.stop()
            #expect(notifications.total == 0)
        }

        @Test("watchers and cancellers on many threads leave no watch and no descriptor behind")
        func storm() async {
            // In a process of its own, so that the descriptors of other tests do not count.
            await #expect(processExitsWith: .success) {
                for watcher in Watcher.allCases { try await Self.storm(watcher) }
            }
        }

        private static func storm(_ watcher: Watcher) async throws {
            let events = try watcher.make()
            // The watchers' own descriptors, and those that Dispatch keeps, are open before the count.
            let warmUp = try Pair()
            let told = Notifications()
            let warmUpWatch = try events.watch(warmUp.server, for: [.readable, .writable]) { told.add() }
            await told.next()
            warmUpWatch.cancel()
            let alive = AliveCount()
            let before = try openDescriptors()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<8 {
                    group.addTask {
                        for round in 0..<100 {
                            let pair = try Pair()
                            let token = alive.token()
                            let watch = try events.watch(pair.server, for: .readable) { withExtendedLifetime(token) {} }
                            _ = send([1], on: pair.client)
                            if round % 2 == 0 { blockUntilReady(pair.server, for: .readable) }
                            watch.cancel()
                        }
                    }
                }
                try await group.waitForAll()
            }
            events.stop()
            await alive.waitForNone()
            #expect(try descriptorsReturn(to: before))
        }
    }
}
