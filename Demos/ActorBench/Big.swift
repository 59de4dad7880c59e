// Many actors that all talk to each other.

import Conclave
import Dispatch

extension Benchmark {
    static let big = Benchmark(
        name: "big",
        title: "messages when 1,000 actors each ping 1,000 random others, one at a time, and are answered",
        operations: 2 * bigSize * 1_000,
        granularity: 2 * bigSize,
        contenders: [
            .conclave { try await conclaveBig($0 / (2 * bigSize)) },
            .swiftActor { await actorBig($0 / (2 * bigSize)) },
            .asyncStream(fraction: 4) { await streamBig($0 / (2 * bigSize)) },
            .dispatchQueue(fraction: 4) { await queueBig($0 / (2 * bigSize)) },
        ]
    )
}

private let bigSize = 1_000

// MARK: Conclave

private struct BigNode: Behavior {
    enum Message {
        case start([ActorRef<Message>])
        case ping(ActorRef<Message>)
        case pong
    }
    var dice: Dice
    var left: Int
    let done: Latch
    var peers: [ActorRef<Message>] = []

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .ping(let sender): sender.send(.pong)
        case .pong: pingNext(context)
        case .start(let all):
            peers = all
            pingNext(context)
        }
    }

    private mutating func pingNext(_ context: borrowing Context<Message>) {
        guard left > 0 else { return done.arrive() }
        left -= 1
        peers[dice.roll(peers.count)].send(.ping(context.myself))
    }
}

private func conclaveBig(_ pings: Int) async throws -> Double {
    try await withSystem { system in
        let done = Latch(bigSize)
        let nodes = try (0..<bigSize).map { seed in
            try system.spawn { BigNode(dice: Dice(seed), left: pings, done: done) }
        }
        return await rate(2 * bigSize * pings) {
            for node in nodes { node.send(.start(nodes)) }
            await done.wait()
        }
    }
}

// MARK: Swift's actors: the answer is the call's result

private actor NativeBigNode {
    private var dice: Dice
    private var served = 0

    init(_ seed: Int) { dice = Dice(seed) }

    func ping() -> Int {
        served += 1
        return served
    }

    func run(_ peers: [NativeBigNode], _ pings: Int) async {
        for _ in 0..<pings { _ = await peers[dice.roll(peers.count)].ping() }
    }
}

private func actorBig(_ pings: Int) async -> Double {
    let nodes = (0..<bigSize).map { NativeBigNode($0) }
    return await rate(2 * bigSize * pings) {
        await withTaskGroup(of: Void.self) { group in
            for node in nodes { group.addTask { await node.run(nodes, pings) } }
        }
    }
}

// MARK: A task that reads an AsyncStream

private enum StreamBigMessage: Sendable {
    case ping(AsyncStream<StreamBigMessage>.Continuation)
    case pong
    case stop
}

private func streamBig(_ pings: Int) async -> Double {
    let inboxes = (0..<bigSize).map { _ in AsyncStream.makeStream(of: StreamBigMessage.self) }
    let peers = inboxes.map(\.continuation)
    let done = Latch(bigSize)
    return await rate(2 * bigSize * pings) {
        for (seed, inbox) in inboxes.enumerated() {
            Task {
                var dice = Dice(seed)
                var left = pings
                for await message in inbox.stream {
                    switch message {
                    case .ping(let sender): sender.yield(.pong)
                    case .pong where left > 0:
                        left -= 1
                        peers[dice.roll(peers.count)].yield(.ping(inbox.continuation))
                    case .pong: done.arrive()
                    case .stop: return
                    }
                }
            }
        }
        for peer in peers { peer.yield(.pong) }
        await done.wait()
        for peer in peers { peer.yield(.stop) }
    }
}

// MARK: A serial queue for each actor

// SAFETY: the variables are only touched on `queue`.
private final class QueueBigNode: @unchecked Sendable {
    private let queue = DispatchQueue(label: "node")
    private let done: Latch
    private var dice: Dice
    private var left: Int
    private var peers: [QueueBigNode] = []

    init(_ seed: Int, _ pings: Int, _ done: Latch) {
        dice = Dice(seed)
        left = pings
        self.done = done
    }

    func start(_ all: [QueueBigNode]) {
        queue.async {
            self.peers = all
            self.pingNext()
        }
    }

    func stop() { queue.sync { peers = [] } }

    private func ping(_ sender: QueueBigNode) { queue.async { sender.pong() } }

    private func pong() { queue.async { self.pingNext() } }

    private func pingNext() {
        guard left > 0 else { return done.arrive() }
        left -= 1
        peers[dice.roll(peers.count)].ping(self)
    }
}

private func queueBig(_ pings: Int) async -> Double {
    let done = Latch(bigSize)
    let nodes = (0..<bigSize).map { QueueBigNode($0, pings, done) }
    let result = await rate(2 * bigSize * pings) {
        for node in nodes { node.start(nodes) }
        await done.wait()
    }
    for node in nodes { node.stop() }
    return result
}
