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
    @inline(never)  // the optimizer drops the hop onto the actor otherwise
    func ping(_ value: Int) -> Int {
        served += 1
        return value + 1
    }
}

actor NativePinger {
    func run(_ peer: NativePonger, _ rounds: Int) async -> Int {
        var value = 0
        while value < rounds { value = await peer.ping(value) }
        return value
    }
}

/// Round trips between a pair of Swift's own actors: an awaited call that runs inline when nobody contends.
func nativePingPong(_ rounds: Int) async -> Measurement {
    let ponger = NativePonger()
    let pinger = NativePinger()
    let elapsed = await ContinuousClock().measure {
        let reached = await pinger.run(ponger, rounds)
        precondition(reached == rounds, "the ball was lost")
    }
    return Measurement(bench: "ping-pong", implementation: "swift-actor", operations: rounds, elapsed: elapsed)
}
