// How many requests a second the watchers serve, with and without an actor for each connection. Run by hand:
//
//     CONCLAVE_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter EchoBenchmark

import Conclave
import ConclaveNet
import Foundation
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

private let isEnabled = ProcessInfo.processInfo.environment["CONCLAVE_BENCH"] != nil

/// Serves echo connections on the watcher's own thread: the floor, without actors.
private final class DirectEcho: Sendable {
    let address: SocketAddress
    private let events: any SocketEvents
    private let listener: Socket
    private let watches = Mutex<[any SocketWatch]>([])

    init(_ watcher: Watcher) throws {
        events = try watcher.make()
        listener = try Socket.listen(on: .loopback(port: 0))
        address = try #require(listener.localAddress)
    }

    func accept(_ count: Int) throws {
        for _ in 0..<count {
            blockUntilReady(listener, for: .readable)
            guard case .accepted(let socket) = listener.accept() else { throw SocketError(.accept, code: 0) }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 16384, alignment: 16)
            // SAFETY: the slot is filled under its lock before the handler looks at it; the buffer is only touched by the
            // watcher's one thread and, in a benchmark, never freed.
            nonisolated(unsafe) let memory = buffer
            let slot = WatchSlot()
            let watch = try events.watch(socket, for: .readable) {
                guard let watch = slot.watch.withLock({ $0 }) else { return }
                _ = watch.take()
                while case .bytes(let count) = socket.receive(into: memory) {
                    _ = socket.send(UnsafeRawBufferPointer(rebasing: memory[..<count]))
                    if count < memory.count { break }
                }
                watch.rearm(for: .readable)
            }
            slot.watch.withLock { $0 = watch }
            watches.withLock { $0.append(watch) }
        }
    }

    func stop() {
        for watch in watches.withLock({ $0 }) { watch.cancel() }
        events.stop()
    }

    private final class WatchSlot: Sendable {
        let watch = Mutex<(any SocketWatch)?>(nil)
    }
}

/// Keeps `depth` requests of 256 bytes under way on each connection, from one thread, and returns requests a second and
/// processor microseconds a request (client and server together).
private func load(_ clients: [RawClient], depth: Int, requests: Int) -> (perSecond: Double, microseconds: Double) {
    let size = 256
    let batch = [UInt8](repeating: 7, count: size * depth)
    var buffer = [UInt8](repeating: 0, count: 65536)
    var outstanding = [Int](repeating: 0, count: clients.count)
    var descriptors = clients.map { pollfd(fd: $0.socket.descriptor, events: Int16(POLLIN), revents: 0) }
    let clock = ContinuousClock()
    let start = clock.now
    let cpu = processorMicroseconds()
    for (number, client) in clients.enumerated() {
        _ = send(batch, on: client.socket)
        outstanding[number] = batch.count
    }
    var done = 0
    while done < requests {
        guard poll(&descriptors, nfds_t(descriptors.count), 5000) > 0 else { break }
        for number in descriptors.indices where descriptors[number].revents != 0 {
            let transfer = buffer.withUnsafeMutableBytes { clients[number].socket.receive(into: $0) }
            guard case .bytes(let count) = transfer else { continue }
            outstanding[number] -= count
            guard outstanding[number] == 0 else { continue }
            done += depth
            _ = send(batch, on: clients[number].socket)
            outstanding[number] = batch.count
        }
    }
    let seconds = (clock.now - start) / .seconds(1)
    return (Double(done) / seconds, (processorMicroseconds() - cpu) / Double(done))
}

private func processorMicroseconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
}

extension Loopback {
    @Suite("Echo benchmark")
    struct EchoBenchmark {
        @Test("64 connections of 256 bytes", .enabled(if: isEnabled), arguments: [1, 16])
        func echo(depth: Int) async throws {
            let requests = depth == 1 ? 200_000 : 1_600_000
            for round in 1...3 {
                for watcher in Watcher.allCases {
                    let direct = try DirectEcho(watcher)
                    var clients = try (0..<64).map { _ in try RawClient(to: direct.address) }
                    try direct.accept(64)
                    Self.report(load(clients, depth: depth, requests: requests), watcher, "no actors", depth, round)
                    direct.stop()

                    let server = try EchoServer(watcher)
                    clients = try (0..<64).map { _ in try RawClient(to: server.address) }
                    Self.report(load(clients, depth: depth, requests: requests), watcher, "actors", depth, round)
                    await server.stop()
                }
            }
        }

        private static func report(
            _ result: (perSecond: Double, microseconds: Double),
            _ watcher: Watcher,
            _ kind: String,
            _ depth: Int,
            _ round: Int
        ) {
            let rate = Int(result.perSecond)
            let cpu = (result.microseconds * 100).rounded() / 100
            print("round \(round) depth \(depth) \(watcher.rawValue), \(kind): \(rate) requests/s, \(cpu) µs CPU each")
        }
    }
}
