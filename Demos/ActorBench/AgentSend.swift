// Code as the message.

import Conclave
import Dispatch

extension Benchmark {
    static let agentSend = Benchmark(
        name: "agent-send",
        title: "functions sent to one agent from a task",
        operations: 2_000_000,
        contenders: [
            .conclave { try await conclaveAgent($0) },
            .swiftActor { await actorAgent($0) },
            .asyncStream(fraction: 4) { await streamAgent($0) },
            .dispatchQueue(fraction: 4) { await queueAgent($0) },
        ]
    )
}

// MARK: Conclave

private func conclaveAgent(_ count: Int) async throws -> Double {
    try await withSystem { system in
        let agent = Agent(0, in: system)
        return try await rate(count) {
            for number in 1...count { agent.send { $0 += number > 0 ? 1 : 0 } }
            let total = try await agent.get(timeout: .seconds(60))
            precondition(total == count, "an action was lost")
        }
    }
}

// MARK: Swift's actors: each call is awaited

private actor NativeAgent {
    private var state = 0

    func apply(_ action: @Sendable (inout Int) -> Void) { action(&state) }
    func get() -> Int { state }
}

private func actorAgent(_ count: Int) async -> Double {
    let agent = NativeAgent()
    return await rate(count) {
        for number in 1...count { await agent.apply { $0 += number > 0 ? 1 : 0 } }
        let total = await agent.get()
        precondition(total == count, "an action was lost")
    }
}

// MARK: A task that reads an AsyncStream

private func streamAgent(_ count: Int) async -> Double {
    let inbox = AsyncStream.makeStream(of: (@Sendable (inout Int) -> Void).self)
    let reader = Task {
        var state = 0
        for await action in inbox.stream { action(&state) }
        return state
    }
    return await rate(count) {
        for number in 1...count { inbox.continuation.yield { $0 += number > 0 ? 1 : 0 } }
        inbox.continuation.finish()
        let total = await reader.value
        precondition(total == count, "an action was lost")
    }
}

// MARK: A serial queue

// SAFETY: `state` is only touched on `queue`.
private final class QueueAgent: @unchecked Sendable {
    private let queue = DispatchQueue(label: "agent")
    private var state = 0

    func apply(_ action: @escaping @Sendable (inout Int) -> Void) { queue.async { action(&self.state) } }

    func get() async -> Int {
        await withCheckedContinuation { continuation in queue.async { continuation.resume(returning: self.state) } }
    }
}

private func queueAgent(_ count: Int) async -> Double {
    let agent = QueueAgent()
    return await rate(count) {
        for number in 1...count { agent.apply { $0 += number > 0 ? 1 : 0 } }
        let total = await agent.get()
        precondition(total == count, "an action was lost")
    }
}
