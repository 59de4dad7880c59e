// Actors that live for one message.

import Conclave
import Dispatch

extension Benchmark {
    static let spawnStop = Benchmark(
        name: "spawn-stop",
        title: "actors that start, receive one message and end",
        operations: 1_000_000,
        contenders: [
            .conclave { try await conclaveSpawnStop($0) },
            .swiftActor { await actorSpawnStop($0) },
            .asyncStream(fraction: 4) { await streamSpawnStop($0) },
            .dispatchQueue(fraction: 4) { await queueSpawnStop($0) },
        ]
    )
}

// MARK: Conclave: children of one parent, in its child table from their start to their end

private struct Mayfly: Behavior {
    typealias Message = Int
    let done: LatchReference
    var seen = 0

    mutating func receive(_ value: consuming Int, _ context: borrowing Context<Int>) {
        seen += value
        done.arrive()
        context.stop()
    }
}

private struct Breeder: Behavior {
    enum Message { case more }
    var left: Int
    let done: LatchReference

    /// A hundred at a time, so that others get their turn.
    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        let done = done
        let count = min(left, 100)
        for number in 0..<count { try context.spawn { Mayfly(done: done) }.send(number) }
        left -= count
        if left > 0 { context.myself.send(.more) }
    }
}

private func conclaveSpawnStop(_ count: Int) async throws -> Double {
    let latch = Latch(count)
    defer { withExtendedLifetime(latch) {} }
    let done = LatchReference(latch)
    return try await withSystem { system in
        let breeder = try system.spawn { Breeder(left: count, done: done) }
        return await rate(count) {
            breeder.send(.more)
            await latch.wait()
            // The last of them are gone too, not only done with their message.
            breeder.stop()
            _ = await breeder.terminated()
        }
    }
}

// MARK: Swift's actors: nothing but an object with a lock, and the call is awaited

private actor NativeMayfly {
    var seen = 0

    func receive(_ value: Int) -> Int {
        seen += value
        return seen
    }
}

private func actorSpawnStop(_ count: Int) async -> Double {
    await rate(count) {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var sum = 0
                for number in 0..<count { sum += await NativeMayfly().receive(number) }
                precondition(sum == count * (count - 1) / 2, "messages were lost")
            }
        }
    }
}

// MARK: A task that reads an AsyncStream

private func streamSpawnStop(_ count: Int) async -> Double {
    let done = Latch(count)
    return await rate(count) {
        for number in 0..<count {
            let inbox = AsyncStream.makeStream(of: Int.self)
            Task {
                for await _ in inbox.stream { break }
                done.arrive()
            }
            inbox.continuation.yield(number)
        }
        await done.wait()
    }
}

// MARK: A serial queue for each actor

// SAFETY: `seen` is only touched on `queue`.
private final class QueueMayfly: @unchecked Sendable {
    private let queue = DispatchQueue(label: "mayfly")
    private var seen = 0
    private let done: Latch

    init(_ done: Latch) { self.done = done }

    func receive(_ value: Int) {
        queue.async {
            self.seen += value
            self.done.arrive()
        }
    }
}

private func queueSpawnStop(_ count: Int) async -> Double {
    let done = Latch(count)
    return await rate(count) {
        for number in 0..<count { QueueMayfly(done).receive(number) }
        await done.wait()
    }
}
