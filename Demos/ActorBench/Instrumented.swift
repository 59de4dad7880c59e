// What an instrument costs: the same ping-pong without one, with one that does nothing, and with one that measures.

import Conclave
import Dispatch
import Synchronization

extension Benchmark {
    static let instrumented = Benchmark(
        name: "instrument",
        title: "round trips of ping-pong without an instrument, with an empty one, and with one that times each wait",
        operations: 2_000_000,
        contenders: [
            .conclave { try await conclavePingPong(1, $0) },
            Contender(name: "empty", fraction: 2) { try await conclavePingPong(1, $0, Nothing()) },
            Contender(name: "waiting-times", fraction: 2) { try await conclavePingPong(1, $0, Waits()) },
        ],
        remark: "all of them Conclave's actors"
    )
}

/// Every call is made, and none does anything.
private struct Nothing: Instrument {}

/// What an instrument typically does: the time at the sending, and at the beginning of the handler.
private final class Waits: Instrument {
    private let sum = Atomic<UInt64>(0)

    func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64 { DispatchTime.now().uptimeNanoseconds }

    func handlerBegins(in actor: ActorInfo, mark: UInt64?) {
        if let mark { sum.add(DispatchTime.now().uptimeNanoseconds - mark, ordering: .relaxed) }
    }
}
