// Pairs of actors that hand one message back and forth.

import Conclave
import Dispatch

extension Benchmark {
    static let pingPong = pairs(1, "ping-pong", "round trips of one message between two actors", 2_000_000)
    static let pingPong100 = pairs(100, "ping-pong-100", "round trips in 100 pairs at a time", 4_000_000)

    private static func pairs(_ pairs: Int, _ name: String, _ title: String, _ operations: Int) -> Benchmark {
        Benchmark(
            name: name,
            title: title,
            operations: operations,
            granularity: pairs,
            contenders: [
                .conclave { try await conclavePingPong(pairs, $0 / pairs) },
                .swiftActor { await actorPingPong(pairs, $0 / pairs) },
                .asyncStream(fraction: 8) { await streamPingPong(pairs, $0 / pairs) },
                .dispatchQueue(fraction: 8) { await queuePingPong(pairs, $0 / pairs) },
            ]
        )
    }
}

// MARK: Conclave

private struct Ponger: Behavior {
    enum Message { case ping(Int, ActorRef<Pinger.Message>) }
    var served = 0

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .ping(let value, let sender):
            served += 1
            sender.send(.pong(value + 1))
        }
    }
}

private struct Pinger: Behavior {
    enum Message { case pong(Int) }
    let peer: ActorRef<Ponger.Message>
    let rounds: Int
    let done: Latch

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .pong(let value): if value < rounds { peer.send(.ping(value, context.myself)) } else { done.arrive() }
        }
    }
}

func conclavePingPong(_ pairs: Int, _ rounds: Int, _ instrument: (any Instrument)? = nil) async throws -> Double {
    try await withSystem(instrument) { system in
        let done = Latch(pairs)
        let pingers = try (0..<pairs).map { _ in
            let peer = try system.spawn { Ponger() }
            return try system.spawn { Pinger(peer: peer, rounds: rounds, done: done) }
        }
        return await rate(pairs * rounds) {
            for pinger in pingers { pinger.send(.pong(0)) }
            await done.wait()
        }
    }
}

// MARK: Swift's actors: an awaited call, which runs inline when nobody contends

private actor NativePonger {
    var served = 0  // state, or the optimizer drops the hop onto the actor altogether

    func ping(_ value: Int) -> Int {
        served += 1
        return value + 1
    }
}

private actor NativePinger {
    var reached = 0  // state, as above: the hop back is part of the work

    func run(_ peer: NativePonger, _ rounds: Int) async {
        while reached < rounds { reached = await peer.ping(reached) }
    }
}

private func actorPingPong(_ pairs: Int, _ rounds: Int) async -> Double {
    await rate(pairs * rounds) {
        // Child tasks: without them the optimizer sees the whole story, and drops the hops between the actors.
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<pairs { group.addTask { await NativePinger().run(NativePonger(), rounds) } }
        }
    }
}

// MARK: A task that reads an AsyncStream

private func streamPingPong(_ pairs: Int, _ rounds: Int) async -> Double {
    await rate(pairs * rounds) {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<pairs {
                let pings = AsyncStream.makeStream(of: Int.self)
                let pongs = AsyncStream.makeStream(of: Int.self)
                group.addTask {
                    for await value in pings.stream { pongs.continuation.yield(value + 1) }
                }
                group.addTask {
                    pings.continuation.yield(0)
                    for await value in pongs.stream {
                        if value == rounds { break }
                        pings.continuation.yield(value)
                    }
                    pings.continuation.finish()
                }
            }
        }
    }
}

// MARK: A serial queue for each actor

// SAFETY: `served` is only touched on `queue`.
private final class QueuePonger: @unchecked Sendable {
    private let queue = DispatchQueue(label: "ponger")
    private var served = 0

    func ping(_ value: Int, _ sender: QueuePinger) {
        queue.async {
            self.served += 1
            sender.pong(value + 1)
        }
    }
}

private final class QueuePinger: Sendable {
    private let queue = DispatchQueue(label: "pinger")
    private let peer = QueuePonger()
    private let rounds: Int
    private let done: Latch

    init(_ rounds: Int, _ done: Latch) {
        self.rounds = rounds
        self.done = done
    }

    func pong(_ value: Int) {
        queue.async { if value < self.rounds { self.peer.ping(value, self) } else { self.done.arrive() } }
    }
}

private func queuePingPong(_ pairs: Int, _ rounds: Int) async -> Double {
    let done = Latch(pairs)
    let pingers = (0..<pairs).map { _ in QueuePinger(rounds, done) }
    return await rate(pairs * rounds) {
        for pinger in pingers { pinger.pong(0) }
        await done.wait()
    }
}
