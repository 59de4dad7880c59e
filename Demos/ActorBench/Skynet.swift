// A tree of actors, ten children each, whose leaves report upwards.

import Conclave
import Dispatch

extension Benchmark {
    static let skynet = Benchmark(
        name: "skynet",
        title: "leaves of a tree of actors, ten children each, a million leaves, all sums added up",
        operations: 1_000_000,
        granularity: 10_000,
        contenders: [
            .conclave { try await conclaveSkynet($0) },
            .swiftActor(fraction: 10) { await actorSkynet($0) },
            .asyncStream(fraction: 10) { await streamSkynet($0) },
            .dispatchQueue(fraction: 10) { await queueSkynet($0) },
        ]
    )
}

private func check(_ sum: Int, _ size: Int) { precondition(sum == size * (size - 1) / 2, "a leaf is missing") }

/// The next smaller size of a subtree. Sizes are powers of ten.
private let fanOut = 10

// MARK: Conclave: each actor ends when its sum is known

private enum Superior: Sendable {
    case node(ActorRef<Int>)
    case result(@Sendable (Int) -> Void)

    func report(_ sum: Int) {
        switch self {
        case .node(let ref): ref.send(sum)
        case .result(let deliver): deliver(sum)
        }
    }
}

private struct SkynetNode: Behavior {
    typealias Message = Int
    let superior: Superior
    let first: Int
    let size: Int
    var missing = fanOut
    var total = 0

    mutating func started(_ context: borrowing Context<Int>) throws {
        if size == 1 {
            superior.report(first)
            context.stop()
        } else {
            // Its own first message: `started` runs on the thread of the parent, and the whole tree would grow in one go.
            context.myself.send(0)
            missing += 1
        }
    }

    mutating func receive(_ sum: consuming Int, _ context: borrowing Context<Int>) throws {
        if missing == fanOut + 1 {
            let part = size / fanOut
            let me = Superior.node(context.myself)
            for index in 0..<fanOut {
                let first = first + index * part
                try context.spawn { SkynetNode(superior: me, first: first, size: part) }
            }
        }
        total += sum
        missing -= 1
        guard missing == 0 else { return }
        superior.report(total)
        context.stop()
    }
}

private func conclaveSkynet(_ size: Int) async throws -> Double {
    try await withSystem { system in
        await rate(size) {
            let sum = await withCheckedContinuation { continuation in
                let superior = Superior.result { continuation.resume(returning: $0) }
                do {
                    try system.spawn { SkynetNode(superior: superior, first: 0, size: size) }
                } catch {
                    preconditionFailure("the root did not start: \(error)")
                }
            }
            check(sum, size)
        }
    }
}

// MARK: Swift's actors

private actor NativeSkynet {
    private var total = 0

    func run(_ first: Int, _ size: Int) async -> Int {
        guard size > 1 else {
            total = first
            return total
        }
        let part = size / fanOut
        total = await withTaskGroup(of: Int.self) { group in
            for index in 0..<fanOut { group.addTask { await NativeSkynet().run(first + index * part, part) } }
            return await group.reduce(0, +)
        }
        return total
    }
}

private func actorSkynet(_ size: Int) async -> Double {
    await rate(size) { check(await NativeSkynet().run(0, size), size) }
}

// MARK: A task that reads an AsyncStream; a leaf reads nothing and is only a task

private func streamNode(_ superior: AsyncStream<Int>.Continuation, _ first: Int, _ size: Int) {
    Task {
        guard size > 1 else {
            superior.yield(first)
            return
        }
        let inbox = AsyncStream.makeStream(of: Int.self)
        let part = size / fanOut
        for index in 0..<fanOut { streamNode(inbox.continuation, first + index * part, part) }
        var total = 0
        var missing = fanOut
        for await sum in inbox.stream {
            total += sum
            missing -= 1
            if missing == 0 { break }
        }
        superior.yield(total)
    }
}

private func streamSkynet(_ size: Int) async -> Double {
    await rate(size) {
        let inbox = AsyncStream.makeStream(of: Int.self)
        streamNode(inbox.continuation, 0, size)
        for await sum in inbox.stream {
            check(sum, size)
            break
        }
    }
}

// MARK: A serial queue for each actor

// SAFETY: the variables are only touched on `queue`.
private final class QueueSkynet: @unchecked Sendable {
    private let queue = DispatchQueue(label: "node")
    private let report: @Sendable (Int) -> Void
    private var missing = fanOut
    private var total = 0

    init(_ report: @escaping @Sendable (Int) -> Void) { self.report = report }

    func run(_ first: Int, _ size: Int) {
        queue.async {
            guard size > 1 else { return self.report(first) }
            let part = size / fanOut
            for index in 0..<fanOut { QueueSkynet { self.add($0) }.run(first + index * part, part) }
        }
    }

    private func add(_ sum: Int) {
        queue.async {
            self.total += sum
            self.missing -= 1
            if self.missing == 0 { self.report(self.total) }
        }
    }
}

private func queueSkynet(_ size: Int) async -> Double {
    await rate(size) {
        let sum = await withCheckedContinuation { continuation in
            QueueSkynet { continuation.resume(returning: $0) }.run(0, size)
        }
        check(sum, size)
    }
}
