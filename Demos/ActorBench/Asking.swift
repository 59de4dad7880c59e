// Questions from code that is no actor, one at a time.

import Conclave
import Dispatch

extension Benchmark {
    static let askFromTask = Benchmark(
        name: "ask-task",
        title: "questions from a plain task to an actor, each after the answer to the last",
        operations: 1_000_000,
        contenders: [
            .conclave(fraction: 4) { try await conclaveAsk($0) },
            .swiftActor { await actorAsk($0) },
            .asyncStream(fraction: 4) { await streamAsk($0) },
            .dispatchQueue(fraction: 8) { await queueAsk($0) },
        ]
    )

    static let askFromExecutor = Benchmark(
        name: "ask-executor",
        title: "the same from a task that prefers the executor of the actor's system",
        operations: 1_000_000,
        contenders: [
            .conclave { try await conclaveAskFromExecutor($0) },
            .swiftActor { await actorAsk($0) },
        ],
        remark: "the others have no executor to lend; swift-actor runs as in ask-task"
    )
}

/// Asks one question after the other, in a task of its own.
private func askInTurn(_ count: Int, _ ask: @escaping @Sendable (Int) async throws -> Int) async rethrows -> Double {
    try await rate(count) {
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask {
                var value = 0
                while value < count { value = try await ask(value) }
                return value
            }
            for try await value in group { precondition(value == count, "an answer is wrong") }
        }
    }
}

// MARK: Conclave

private struct Server: Behavior {
    enum Message { case increment(Int, Reply<Int>) }
    var served = 0

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .increment(let value, let reply):
            served += 1
            reply(value + 1)
        }
    }
}

private func conclaveAsk(_ count: Int) async throws -> Double {
    try await withSystem { system in
        let server = try system.spawn { Server() }
        return try await askInTurn(count) { value in try await server.ask { .increment(value, $0) } }
    }
}

private func conclaveAskFromExecutor(_ count: Int) async throws -> Double {
    try await withSystem { system in
        let server = try system.spawn { Server() }
        return try await withTaskExecutorPreference(system.taskExecutor) {
            try await askInTurn(count) { value in try await server.ask { .increment(value, $0) } }
        }
    }
}

// MARK: Swift's actors

private actor NativeServer {
    private var served = 0

    func increment(_ value: Int) -> Int {
        served += 1
        return value + 1
    }
}

private func actorAsk(_ count: Int) async -> Double {
    let server = NativeServer()
    return await askInTurn(count) { await server.increment($0) }
}

// MARK: A task that reads an AsyncStream

private func streamAsk(_ count: Int) async -> Double {
    let inbox = AsyncStream.makeStream(of: (Int, CheckedContinuation<Int, Never>).self)
    Task {
        for await (value, reply) in inbox.stream { reply.resume(returning: value + 1) }
    }
    defer { inbox.continuation.finish() }
    return await askInTurn(count) { value in
        await withCheckedContinuation { _ = inbox.continuation.yield((value, $0)) }
    }
}

// MARK: A serial queue

private final class QueueServer: @unchecked Sendable {
    // SAFETY: `served` is only touched on `queue`.
    private let queue = DispatchQueue(label: "server")
    private var served = 0

    func increment(_ value: Int, _ reply: CheckedContinuation<Int, Never>) {
        queue.async {
            self.served += 1
            reply.resume(returning: value + 1)
        }
    }
}

private func queueAsk(_ count: Int) async -> Double {
    let server = QueueServer()
    return await askInTurn(count) { value in
        await withCheckedContinuation { server.increment(value, $0) }
    }
}
