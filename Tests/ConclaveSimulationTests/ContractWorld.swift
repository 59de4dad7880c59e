import Conclave
import ConclaveSimulation

/// A world in which actors send to each other, fail and are restarted, are asked and do not answer, while the checkers watch.
struct ContractWorld {
    /// What a mailbox of the test's own does wrong.
    enum Planted: Hashable, Sendable {
        /// Delivers what it holds newest first: wrong only where a message overtakes the wake-up for the one before.
        case newestFirst
    }

    private static let workers = 4
    private static let clients = 3
    private static let rounds = 12

    /// What the checkers know. Touched on the world's thread only.
    final class Watchers: Sendable {
        private struct State {
            var delivery = DeliveryChecker()
            var lives = LifecycleChecker()
            var asksOpen = 0
            var restarts = 0
        }
        private let state = Mutexed(State())
        private let simulation: Simulation

        init(_ simulation: Simulation) { self.simulation = simulation }

        func number(from sender: Int, to receiver: Int) -> Int {
            var number = 0
            state.change { number = $0.delivery.sent(from: sender, to: receiver) }
            return number
        }
        func received(_ number: Int, from sender: Int, by receiver: Int) {
            check { $0.lives.received(receiver) }
            check { $0.delivery.received(number, from: sender, by: receiver) }
        }
        func started(_ actor: Int) { check { $0.lives.started(actor) } }
        func failing(_ actor: Int) {
            state.change {
                $0.lives.failing(actor)
                $0.restarts += 1
            }
        }
        func stopping(_ actor: Int) { check { $0.lives.stopping(actor) } }
        func asked() { state.change { $0.asksOpen += 1 } }
        func answered() { state.change { $0.asksOpen -= 1 } }

        /// At the end nothing is under way.
        func finish() {
            check { $0.delivery.missing() }
            let open = state.value.asksOpen
            if open != 0 { simulation.fail("\(open) asks were neither answered nor failed, or ended twice") }
            let (starts, restarts) = (0..<workers).reduce(into: (0, state.value.restarts)) {
                $0.0 += state.value.lives.starts(of: $1)
            }
            if starts != workers + restarts {
                simulation.fail("\(restarts) failures, but \(starts) starts of \(workers)")
            }
        }
        var restarts: Int { state.value.restarts }

        private func check(_ body: (inout State) -> String?) {
            var complaint: String?
            state.change { complaint = body(&$0) }
            if let complaint { simulation.fail(complaint) }
        }
    }

    /// Numbers what it receives, fails now and then, and answers some questions.
    private struct Worker: Behavior {
        enum Message {
            case work(sender: Int, number: Int, fails: Bool)
            case question(Reply<Int>, answers: Bool)
        }
        let id: Int
        let watchers: Watchers
        private var kept: [Reply<Int>] = []

        init(id: Int, watchers: Watchers) {
            self.id = id
            self.watchers = watchers
        }

        mutating func started(_ context: borrowing Context<Message>) { watchers.started(id) }
        mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) { watchers.stopping(id) }

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
            switch consume message {
            case .work(let sender, let number, let fails):
                watchers.received(number, from: sender, by: id)
                guard fails else { return }
                watchers.failing(id)
                throw Planned()
            case .question(let reply, let answers):
                if answers { reply(id) } else { kept.append(reply) }
            }
        }
    }

    private struct Planned: Error {}

    /// A mailbox of the test's own in front of a worker.
    private struct Relay: Behavior {
        enum Message {
            case pass(Worker.Message)
            case drain
        }
        let worker: ActorRef<Worker.Message>
        let planted: Planted?
        private var held: [Worker.Message] = []

        init(worker: ActorRef<Worker.Message>, planted: Planted?) {
            self.worker = worker
            self.planted = planted
        }

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .pass(let message):
                held.append(message)
                context.myself.send(.drain)
            case .drain:
                guard !held.isEmpty else { return }
                worker.send(planted == .newestFirst ? held.removeLast() : held.removeFirst())
            }
        }
    }

    /// Sends to workers at moments of its own, and asks them.
    private struct Client: Behavior {
        enum Message {
            case tick
            case outcome
        }
        let id: Int
        let workers: [ActorRef<Worker.Message>]
        let relays: [ActorRef<Relay.Message>]
        let watchers: Watchers
        var random: SimulationRandom
        var roundsLeft = ContractWorld.rounds

        mutating func started(_ context: borrowing Context<Message>) { schedule(context) }

        private mutating func schedule(_ context: borrowing Context<Message>) {
            context.after(.milliseconds(Int.random(in: 0...3, using: &random)), send: .tick)
        }

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            guard case .tick = consume message else { return watchers.answered() }
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                let index = Int.random(in: workers.indices, using: &random)
                // Directly, and through a relay: two ways, so two pairs.
                let isDirect = Bool.random(using: &random)
                let sender = isDirect ? id : id + ContractWorld.clients
                let work = Worker.Message.work(
                    sender: sender,
                    number: watchers.number(from: sender, to: index),
                    fails: Int.random(in: 0..<12, using: &random) == 0
                )
                if isDirect { workers[index].send(work) } else { relays[index].send(.pass(work)) }
            }
            if Bool.random(using: &random) {
                let index = Int.random(in: workers.indices, using: &random)
                let answers = Int.random(in: 0..<3, using: &random) > 0
                watchers.asked()
                context.ask(workers[index], timeout: .milliseconds(20)) {
                    .question($0, answers: answers)
                } _: { _ in
                    .outcome
                }
            }
            roundsLeft -= 1
            if roundsLeft > 0 { schedule(context) }
        }
    }

    /// Runs one seed to its end.
    ///
    /// - Returns: how many failures there were, and the run's signature.
    /// - Throws: `SimulationError.violation` with what a checker found.
    @discardableResult
    static func run(seed: UInt64, planted: Planted? = nil) throws -> (failures: Int, signature: UInt64) {
        var configuration = Simulation.Configuration()
        if seed % 2 == 1 { configuration.schedule = .priorities(changePoints: 3, expectedSteps: 400) }
        let simulation = Simulation(seed: seed, configuration)
        let watchers = Watchers(simulation)
        let randoms = (0..<clients).map { _ in simulation.makeRandom() }
        _ = try simulation.machine("one") { machine in
            let intensity = RestartIntensity(10_000, per: .seconds(1))
            let workers = Mutexed<[ActorRef<Worker.Message>]>([])
            try machine.system.spawn("workers", options: SpawnOptions(intensity: intensity)) {
                Supervisor { context in
                    for id in 0..<ContractWorld.workers {
                        let options = SpawnOptions(restart: .permanent)
                        let worker = try context.spawn("worker-\(id)", options: options) {
                            Worker(id: id, watchers: watchers)
                        }
                        workers.change { $0.append(worker) }
                    }
                }
            }
            let all = workers.value
            let relays = try all.indices.map { index in
                try machine.system.spawn("relay-\(index)") { Relay(worker: all[index], planted: planted) }
            }
            for id in 0..<clients {
                try machine.system.spawn("client-\(id)") {
                    Client(id: id, workers: all, relays: relays, watchers: watchers, random: randoms[id])
                }
            }
        }
        try simulation.advance(by: .seconds(2))
        watchers.finish()
        try simulation.settle()
        return (watchers.restarts, simulation.signature)
    }
}
