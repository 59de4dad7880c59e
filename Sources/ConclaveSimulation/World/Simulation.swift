// A world of simulated machines whose every step follows from one seed.

internal import Conclave
internal import Synchronization

/// Runs unchanged actors in one thread, under virtual time, in an order drawn from a seed.
///
///     let simulation = Simulation(seed: 7)
///     let bank = try simulation.machine("bank") { machine in
///         try machine.system.spawn("alice") { Account() }
///     }
///     let total = try simulation.run { try await alice.ask { .balance($0) } }
///
/// The same seed gives the same run, step by step: compare `signature`. What the actors do must follow from their messages alone: a
/// clock, a random number of the system's, a socket or another thread makes runs differ, and where that can be noticed
/// the run fails with `SimulationError.outsideInterference`.
///
/// Use a simulation from one thread at a time.
public final class Simulation: Sendable {
    /// The knobs of a world.
    public struct Configuration: Hashable, Sendable {
        /// In which order ready actors run; at random by default.
        public var schedule = SchedulePolicy.random
        /// How many messages an actor receives before others may go first; 1 by default, at least 1. More is faster and finds less.
        public var messagesPerBatch = 1
        /// In so many of a thousand steps a timer goes off before actors that are ready have run, as on a busy machine; 5 by
        /// default, 0 to 1000.
        public var earlyAlarmsPerMille = 5
        /// How far ahead such a timer may be; 1 ms by default.
        public var earlyAlarmWindow = Duration.milliseconds(1)
        /// After so many steps without any time passing the run fails as a livelock; 1,000,000 by default.
        public var stepsWithoutTime = 1_000_000
        /// The last so many events are kept for `trace`; 0, the default, keeps none and is faster.
        public var traceCapacity = 0

        /// Every knob at its default.
        public init() {}
    }

    /// Where all chance in this world comes from.
    public let seed: UInt64
    let world: SimulatedWorld
    /// Where the body of `run` runs.
    private let outside: MachineScheduler
    private let machines = Mutex<[SimulatedMachine]>([])

    /// - Parameters:
    ///   - seed: what the run follows from.
    ///   - configuration: the knobs; they too decide what the run is.
    public init(seed: UInt64, _ configuration: Configuration = Configuration()) {
        self.seed = seed
        world = SimulatedWorld(configuration, SimulationRandom(seed: seed))
        outside = MachineScheduler(machine: world.addMachine("outside"), world)
    }

    /// The world's machines end with it, and what was yet to happen never will.
    deinit {
        for machine in machines.withLock({ $0 }) { machine.crash() }
        world.forgetEvents()
    }

    /// Adds a machine and starts it.
    ///
    /// - Parameters:
    ///   - name: for traces.
    ///   - clockPerMille: how much the machine's clock goes on while the world's goes on by a thousand; 1,000 by default.
    ///   - boot: starts the machine's actors, now and after each crash: on the caller's thread, and with a new system.
    /// - Throws: what `boot` throws.
    public func machine(
        _ name: String,
        clockPerMille: UInt64 = 1_000,
        boot: @escaping @Sendable (SimulatedMachine) throws -> Void
    ) throws -> SimulatedMachine {
        let machine = SimulatedMachine(name, in: world, clockPerMille: clockPerMille, boot: boot)
        machines.withLock { $0.append(machine) }
        try machine.start()
        return machine
    }

    /// Runs `body` in two worlds of the same seed: what real time and other threads do is noticed in one run, what real random numbers do
    /// only in two.
    ///
    /// - Parameters:
    ///   - seed: of both worlds.
    ///   - configuration: of both worlds.
    ///   - body: makes its machines in the world that it is given, and runs it.
    /// - Returns: what `body` came to the first time.
    /// - Throws: what `body` throws the first time; `SimulationError.notRepeatable`.
    public static func twice<Value>(
        seed: UInt64,
        _ configuration: Configuration = Configuration(),
        _ body: (Simulation) throws -> Value
    ) throws -> Value {
        let first = Simulation(seed: seed, configuration)
        let value = try body(first)
        let second = Simulation(seed: seed, configuration)
        do { _ = try body(second) } catch { throw SimulationError.notRepeatable }
        guard first.signature == second.signature else { throw SimulationError.notRepeatable }
        return value
    }

    // MARK: Running

    /// Runs `body` as a task of the simulated world, and the world until `body` has ended.
    ///
    /// - Parameters:
    ///   - deadline: of virtual time, from now; one hour by default. It costs nothing to wait.
    ///   - body: what to do in the world; other threads and real time are not part of it.
    /// - Throws: `SimulationError`, or what `body` throws.
    public func run<Value: Sendable>(
        deadline: Duration = .seconds(3600),
        _ body: @escaping @Sendable () async throws -> Value
    ) throws -> Value {
        try world.onHomeThread {
            let box = ResultBox<Value>()
            let task = Task(executorPreference: outside) {
                do { box.put(.success(try await body())) } catch { box.put(.failure(error)) }
            }
            let end = world.now + deadline.nanoseconds
            while true {
                if let result = box.value {
                    if let failure = world.currentFailure { throw failure }
                    return try result.get()
                }
                if world.step(until: end) { continue }
                let failure = world.currentFailure ?? (world.isQuiet ? .stalled : .deadline(deadline))
                task.cancel()
                world.fail(failure)
                throw failure
            }
        }
    }

    /// Lets so much virtual time pass.
    ///
    /// - Throws: `SimulationError`.
    public func advance(by duration: Duration) throws {
        let end = world.now + duration.nanoseconds
        world.onHomeThread { while world.step(until: end) {} }
        if let failure = world.currentFailure { throw failure }
        world.passTime(to: end)
    }

    /// Runs what is ready, and what becomes ready by it, without letting time pass.
    ///
    /// - Throws: `SimulationError`.
    public func settle() throws { try advance(by: .zero) }

    /// Waits for so much virtual time. For bodies of `run` and tasks of theirs; `Task.sleep` waits for real time.
    public func sleep(for duration: Duration) async {
        // Unsafe: a world may go while somebody sleeps in it, who then never wakes. That is no mistake to be warned of.
        await withUnsafeContinuation { continuation in
            world.at(world.now + duration.nanoseconds) { continuation.resume() }
        }
    }

    // MARK: Looking

    /// Virtual time since the start.
    public var time: Duration { .nanoseconds(Int64(world.now - SimulatedWorld.start)) }
    /// How many times an actor, a task or a timer has run.
    public var steps: Int { world.steps }
    /// Stands for the order of all events so far: equal in two runs that took the same steps, in any process.
    public var signature: UInt64 { world.currentTrace.signature }
    /// What happened, if `Configuration.traceCapacity` asked for it.
    public var trace: SimulationTrace { world.currentTrace }

    /// Puts a line into the trace, and into the signature.
    public func note(_ text: String) { world.note(.note, machine: 0, text) }

    /// Ends the run with a checker's complaint: the function that runs the world throws it.
    public func fail(_ complaint: String) { world.fail(.violation(complaint)) }

    /// A generator of its own for a client or a fault plan: draws of others do not change its numbers.
    public func makeRandom() -> SimulationRandom { SimulationRandom(seed: world.draw()) }
}

/// Passes a task's result to the loop that waits for it.
private final class ResultBox<Value: Sendable>: Sendable {
    private let result = Mutex<Result<Value, any Error>?>(nil)
    // Looked at after every step. Relaxed: it is set by a job of the very thread that looks, and the result is read under its lock.
    private let isFull = Atomic(false)

    var value: Result<Value, any Error>? { isFull.load(ordering: .relaxed) ? result.withLock { $0 } : nil }

    func put(_ value: Result<Value, any Error>) {
        result.withLock { $0 = value }
        isFull.store(true, ordering: .relaxed)
    }
}
