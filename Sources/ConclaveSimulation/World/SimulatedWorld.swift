// The loop of a simulation: everything that is ready, everything that is due, and one thread.

internal import Conclave
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// All that is shared by the machines of one simulation.
///
/// One thread at a time runs it: whoever is in `Simulation.run` or a function like it. Between such calls the caller's own
/// thread may send messages. Anything else from another thread is noted as interference, and the run fails.
final class SimulatedWorld: @unchecked Sendable {
    private struct Guarded {
        var state: WorldState
        var homeThread: pthread_t?
        var isInterferedWith = false

        mutating func noteThread() {
            if let homeThread, pthread_equal(homeThread, pthread_self()) == 0 { isInterferedWith = true }
        }
    }

    // SAFETY: `guarded` is touched under `lock`, which is never held while an actor, a job or an alarm runs.
    private let lock = Mutex(())
    private var guarded: Guarded
    private let messagesPerBatch: Int
    private let keepsTrace: Bool

    /// Where the clock starts.
    static let start = WorldState.start

    init(_ configuration: Simulation.Configuration, _ random: SimulationRandom) {
        guarded = Guarded(state: WorldState(configuration, random))
        messagesPerBatch = configuration.messagesPerBatch
        keepsTrace = configuration.traceCapacity > 0
    }

    private func locked<Result>(_ body: (inout WorldState) -> Result) -> Result {
        lock.withLock { _ in body(&guarded.state) }
    }

    /// For what comes from actors, tasks and timers: notes a thread that is not the world's.
    private func lockedBySeam(_ body: (inout WorldState) -> Void) {
        lock.withLock { _ in
            guarded.noteThread()
            body(&guarded.state)
        }
    }

    // MARK: What the seams call

    var now: UInt64 { locked { $0.clock } }

    /// The time by a machine's clock.
    func now(on machine: Int) -> UInt64 { locked { $0.now(on: machine) } }

    func add(_ runnable: Runnable) { lockedBySeam { $0.add(runnable) } }

    func setAlarm(of machine: Int, at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        lockedBySeam { $0.setAlarm(of: machine, at: deadline, handler) }
    }

    /// Runs `handler` at `moment`, or now if that is over. Of events for one moment the one added first runs first.
    func at(_ moment: UInt64, _ handler: @escaping @Sendable () -> Void) {
        lockedBySeam { $0.at(moment, handler) }
    }

    // MARK: What the simulation calls

    func addMachine(_ name: String) -> Int { locked { $0.addMachine(name) } }

    func note(_ kind: SimulationTrace.Kind, machine: Int, _ detail: String) {
        locked { $0.note(kind, machine: machine, detail) }
    }

    func fail(_ error: SimulationError) { locked { $0.fail(error) } }

    /// What is wrong with the run so far.
    var currentFailure: SimulationError? {
        lock.withLock { _ in guarded.isInterferedWith ? .outsideInterference : guarded.state.failure }
    }
    var currentTrace: SimulationTrace { locked { $0.trace } }
    var steps: Int { locked { $0.stepCount } }

    /// Whether nothing will ever happen by itself.
    var isQuiet: Bool { locked { $0.isQuiet } }

    /// A number from the world's chance.
    func draw() -> UInt64 { locked { $0.draw() } }

    /// Runs `body` with the calling thread as the world's.
    func onHomeThread<Result>(_ body: () throws -> Result) rethrows -> Result {
        let outer = lock.withLock { _ in
            defer { guarded.homeThread = pthread_self() }
            return guarded.homeThread
        }
        SimulatedThread.enter(messagesPerBatch: messagesPerBatch)
        defer {
            lock.withLock { _ in guarded.homeThread = outer }
            if outer == nil { SimulatedThread.leave() }
        }
        return try body()
    }

    /// One actor's batch, one job, or the next alarm. False: nothing is left to happen before `deadline`, or the run has failed.
    func step(until deadline: UInt64) -> Bool {
        let next = lock.withLock { _ in guarded.isInterferedWith ? .nothing : guarded.state.next(until: deadline) }
        switch next {
        case .run(let runnable): run(runnable)
        case .call(let handler): handler()
        case .again: break
        case .nothing: return false
        }
        return true
    }

    private func run(_ runnable: Runnable) {
        switch runnable {
        case .actor(let cell, let machine, _):
            // Before it runs: it may be gone afterwards.
            let path = keepsTrace ? cell.path : ""
            let yields = cell.runBatch()
            if keepsTrace { locked { $0.record(yields ? .runAndYield : .run, machine, path) } }
            if yields { add(runnable) }
        case .job(let job, let machine):
            if keepsTrace { locked { $0.record(.job, machine, "") } }
            job.run()
        }
    }

    /// The world goes, and nothing that was to happen will. Frames under way hold their network, which holds this world.
    func forgetEvents() {
        // Released outside of the lock: what goes with them may ask for the time.
        withExtendedLifetime(locked { $0.takeEvents() }) {}
    }

    /// Lets the clock reach `moment`. Nothing is due before.
    func passTime(to moment: UInt64) { locked { $0.passTime(to: moment) } }

    /// Runs all that is ready on a machine that is going, and forgets its alarm; not part of the schedule.
    func runOut(_ machine: Int) {
        locked { $0.beginEnd(of: machine) }
        while let next = locked({ $0.takeReady(on: machine) }) {
            switch next {
            // Past its disk: it is going.
            case .actor(let cell, _, _): if cell.runBatch() { locked { $0.addOnEnd(next) } }
            case .job(let job, _): job.run()
            }
        }
        locked { $0.forgetAlarm(of: machine) }
    }

    func pause(_ machine: Int, until moment: UInt64) { locked { $0.pause(machine, until: moment) } }

    func changeClock(of machine: Int, _ change: (inout MachineClock, UInt64) -> Void) {
        locked { $0.changeClock(of: machine, change) }
    }

    func slowDisk(of machine: Int, by delay: UInt64) { locked { $0.slowDisk(of: machine, by: delay) } }

    func hangDisk(of machine: Int, until moment: UInt64) { locked { $0.hangDisk(of: machine, until: moment) } }
}
