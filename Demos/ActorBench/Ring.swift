// A message that goes round 10,000 actors.

import Conclave
import Dispatch
import Synchronization

extension Benchmark {
    static let ring = Benchmark(
        name: "ring",
        title: "hops of one message around a ring of 10,000 actors",
        operations: 8_000_000,
        contenders: [
            .conclave { try await conclaveRing($0) },
            .swiftActor(fraction: 16) { await actorRing($0) },
            .asyncStream(fraction: 16) { await streamRing($0) },
            .dispatchQueue(fraction: 16) { await queueRing($0) },
        ]
    )
}

private let ringSize = 10_000

// MARK: Conclave

private struct RingNode: Behavior {
    enum Message {
        case link(ActorRef<Message>)
        case token(Int)
    }
    let done: Latch
    var next: ActorRef<Message>?

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .link(let node): next = node
        case .token(0): done.arrive()
        case .token(let hops): next?.send(.token(hops - 1))
        }
    }
}

private func conclaveRing(_ hops: Int) async throws -> Double {
    try await withSystem { system in
        let done = Latch(1)
        let nodes = try (0..<ringSize).map { _ in try system.spawn { RingNode(done: done) } }
        for index in nodes.indices { nodes[index].send(.link(nodes[(index + 1) % ringSize])) }
        return await rate(hops) {
            nodes[0].send(.token(hops))
            await done.wait()
        }
    }
}

// MARK: Swift's actors: a task for each hop, since a node does not wait for the rest of the ring

private actor NativeRingNode {
    private let done: Latch
    private var next: NativeRingNode?

    init(_ done: Latch) { self.done = done }

    func link(_ node: NativeRingNode?) { next = node }

    func token(_ hops: Int) {
        guard hops > 0, let next else { return done.arrive() }
        Task { await next.token(hops - 1) }
    }
}

private func actorRing(_ hops: Int) async -> Double {
    let done = Latch(1)
    let nodes = (0..<ringSize).map { _ in NativeRingNode(done) }
    for index in nodes.indices { await nodes[index].link(nodes[(index + 1) % ringSize]) }
    let result = await rate(hops) {
        await nodes[0].token(hops)
        await done.wait()
    }
    for node in nodes { await node.link(nil) }
    return result
}

// MARK: A task that reads an AsyncStream

private func streamRing(_ hops: Int) async -> Double {
    let done = Latch(1)
    let inboxes = (0..<ringSize).map { _ in AsyncStream.makeStream(of: Int.self) }
    for index in inboxes.indices {
        let stream = inboxes[index].stream
        let next = inboxes[(index + 1) % ringSize].continuation
        Task {
            for await hops in stream {
                if hops == 0 { done.arrive() } else { next.yield(hops - 1) }
            }
        }
    }
    let result = await rate(hops) {
        inboxes[0].continuation.yield(hops)
        await done.wait()
    }
    for inbox in inboxes { inbox.continuation.finish() }
    return result
}

// MARK: A serial queue for each actor

// SAFETY: `next` is only touched on `queue`.
private final class QueueRingNode: @unchecked Sendable {
    private let queue = DispatchQueue(label: "node")
    private let done: Latch
    private var next: QueueRingNode?

    init(_ done: Latch) { self.done = done }

    func link(_ node: QueueRingNode?) { queue.sync { next = node } }

    func token(_ hops: Int) {
        queue.async {
            if hops == 0 { self.done.arrive() } else { self.next?.token(hops - 1) }
        }
    }
}

private func queueRing(_ hops: Int) async -> Double {
    let done = Latch(1)
    let nodes = (0..<ringSize).map { _ in QueueRingNode(done) }
    for index in nodes.indices { nodes[index].link(nodes[(index + 1) % ringSize]) }
    let result = await rate(hops) {
        nodes[0].token(hops)
        await done.wait()
    }
    for node in nodes { node.link(nil) }
    return result
}
