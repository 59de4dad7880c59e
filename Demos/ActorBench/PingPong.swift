// Two actors that hand one message back and forth.

import Conclave

struct Ponger: Behavior {
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

struct Pinger: Behavior {
    enum Message {
        case start(Reply<Int>)
        case pong(Int)
    }
    let peer: ActorRef<Ponger.Message>
    let rounds: Int
    var done: Reply<Int>?

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .start(let reply):
            done = reply
            peer.send(.ping(0, context.myself))
        case .pong(let value):
            if value < rounds { peer.send(.ping(value, context.myself)) } else { done?(value) }
        }
    }
}

/// Round trips between a pair of Conclave actors.
func pingPong(_ rounds: Int) async throws -> Measurement {
    let system = ActorSystem("ping-pong")
    let ponger = try system.spawn { Ponger() }
    let pinger = try system.spawn { Pinger(peer: ponger, rounds: rounds) }
    let elapsed = try await ContinuousClock().measure {
        let reached = try await pinger.ask(timeout: .seconds(60)) { .start($0) }
        precondition(reached == rounds, "the ball was lost")
    }
    await system.shutdown()
    return Measurement(bench: "ping-pong", implementation: "conclave", operations: rounds, elapsed: elapsed)
}

actor NativePonger {
    var served = 0  // state, or the optimizer drops the hop onto the actor altogether
    func ping(_ value: Int) -> Int {
        served += 1
        return value + 1
    }
}

actor NativePinger {
    var reached = 0  // state, as above: the hop back is part of the work
    func run(_ peer: NativePonger, _ rounds: Int) async -> Int {
        while reached < rounds { reached = await peer.ping(reached) }
        return reached
    }
}

/// Round trips between a pair of Swift's own actors: an awaited call that runs inline when nobody contends.
func nativePingPong(_ rounds: Int) async -> Measurement {
    let elapsed = await ContinuousClock().measure {
        // A child task, as a program with more than one pair would have: without it the optimizer sees the whole story, and
        // drops the hops between the actors.
        await withTaskGroup(of: Int.self) { group in
            group.addTask { await NativePinger().run(NativePonger(), rounds) }
            for await reached in group { precondition(reached == rounds, "the ball was lost") }
        }
    }
    return Measurement(bench: "ping-pong", implementation: "swift-actor", operations: rounds, elapsed: elapsed)
}
