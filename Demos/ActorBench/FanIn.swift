// Actors that send to one receiver, which counts.

import Conclave
import Dispatch

extension Benchmark {
    static let oneToOne = fanIn(1, "1-to-1", "messages from one sender to one receiver")
    static let eightToOne = fanIn(8, "8-to-1", "messages from eight senders to one receiver")

    private static func fanIn(_ senders: Int, _ name: String, _ title: String) -> Benchmark {
        Benchmark(
            name: name,
            title: title,
            operations: 8_000_000,
            granularity: senders,
            contenders: [
                .conclave { try await conclaveFanIn(senders, $0 / senders) },
                .swiftActor(fraction: senders == 1 ? 2 : 8) { await actorFanIn(senders, $0 / senders) },
                .asyncStream(fraction: 16) { await streamFanIn(senders, $0 / senders) },
                .dispatchQueue(fraction: 8) { await queueFanIn(senders, $0 / senders) },
            ]
        )
    }
}

// MARK: Conclave

private struct Counter: Behavior {
    typealias Message = Int
    let expected: Int
    let done: Latch
    var total = 0

    mutating func receive(_ value: consuming Int, _ context: borrowing Context<Int>) {
        total += value
        if total == expected { done.arrive() }
    }
}

private struct Sender: Behavior {
    enum Message { case more }
    let receiver: ActorRef<Int>
    var left: Int

    /// A hundred at a time: a handler that sends millions would be no good citizen.
    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        let count = min(left, 100)
        for _ in 0..<count { receiver.send(1) }
        left -= count
        if left > 0 { context.myself.send(.more) }
    }
}

private func conclaveFanIn(_ senders: Int, _ each: Int) async throws -> Double {
    try await withSystem { system in
        let done = Latch(1)
        let counter = try system.spawn { Counter(expected: senders * each, done: done) }
        let senders = try (0..<senders).map { _ in try system.spawn { Sender(receiver: counter, left: each) } }
        return await rate(senders.count * each) {
            for sender in senders { sender.send(.more) }
            await done.wait()
        }
    }
}

// MARK: Swift's actors: each call is awaited

private actor NativeCounter {
    var total = 0

    func add(_ value: Int) { total += value }
}

private actor NativeSender {
    var sent = 0

    func run(_ receiver: NativeCounter, _ count: Int) async {
        while sent < count {
            await receiver.add(1)
            sent += 1
        }
    }
}

private func actorFanIn(_ senders: Int, _ each: Int) async -> Double {
    let counter = NativeCounter()
    let result = await rate(senders * each) {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<senders { group.addTask { await NativeSender().run(counter, each) } }
        }
    }
    let total = await counter.total
    precondition(total == senders * each, "messages were lost")
    return result
}

// MARK: A task that reads an AsyncStream

private func streamFanIn(_ senders: Int, _ each: Int) async -> Double {
    await rate(senders * each) {
        let inbox = AsyncStream.makeStream(of: Int.self)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                var total = 0
                for await value in inbox.stream {
                    total += value
                    if total == senders * each { break }
                }
            }
            for _ in 0..<senders {
                group.addTask { for _ in 0..<each { inbox.continuation.yield(1) } }
            }
        }
    }
}

// MARK: A serial queue for each actor

// SAFETY: `total` is only touched on `queue`.
private final class QueueCounter: @unchecked Sendable {
    private let queue = DispatchQueue(label: "counter")
    private var total = 0
    private let expected: Int
    private let done: Latch

    init(_ expected: Int, _ done: Latch) {
        self.expected = expected
        self.done = done
    }

    func add(_ value: Int) {
        queue.async {
            self.total += value
            if self.total == self.expected { self.done.arrive() }
        }
    }
}

private func queueFanIn(_ senders: Int, _ each: Int) async -> Double {
    let done = Latch(1)
    let counter = QueueCounter(senders * each, done)
    let queues = (0..<senders).map { DispatchQueue(label: "sender.\($0)") }
    return await rate(senders * each) {
        for queue in queues { queue.async { for _ in 0..<each { counter.add(1) } } }
        await done.wait()
    }
}
