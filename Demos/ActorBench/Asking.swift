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

/// Runs a loop that asks one question after the other, in a task of its own. Each contender has a loop of its own: a closure around
/// each question would be a hop of its own.
private func askInTurn(_ count: Int, _ loop: @escaping @Sendable () async throws -> Int) async rethrows -> Double {
    try await rate(count) {
        try await withThrowingTaskGroup(of: Int.self) { group in
            group.addTask { try await loop() }
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
        return try await askInTurn(count) { try await ask(server, count) }
    }
}

private func ask(_ server: ActorRef<Server.Message>, _ count: Int) async throws -> Int {
    var value = 0
    while value < count {
        let question = value
        value = try await server.ask { .increment(question, $0) }
    }
    return value
}

private func conclaveAskFromExecutor(_ count: Int) async throws -> Double {
    try await withSystem { system in
        let server = try system.spawn { Server() }
        return try await withTaskExecutorPreference(system.taskExecutor) {
            try await askInTurn(count) { try await ask(server, count) }
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
    return await askInTurn(count) {
        var value = 0
        while value < count { value = await ask(server, value) }
        return value
    }
}

/// Not inlined: the optimizer would drop the hop to the actor, and back, from the loop.
@inline(never)
private func ask(_ server: NativeServer, _ value: Int) async -> Int { await server.increment(value) }

// MARK: A task that reads an AsyncStream

private func streamAsk(_ count: Int) async -> Double {
    let inbox = AsyncStream.makeStream(of: (Int, CheckedContinuation<Int, Never>).self)
    Task {
        for await (value, reply) in inbox.stream { reply.resume(returning: value + 1) }
    }
    defer { inbox.continuation.finish() }
    return await askInTurn(count) {
        var value = 0
        while value < count {
            let question = value
            value = await withCheckedContinuation { _ = inbox.continuation.yield((question, $0)) }
        }
        return value
    }
}

// MARK: A serial queue

// SAFETY: `served` is only touched on `queue`.
private final class QueueServer: @unchecked Sendable {
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
    return await askInTurn(count) {
        var value = 0
        while value < count {
            let question = value
            value = await withCheckedContinuation { server.increment(question, $0) }
        }
        return value
    }
}
