// The loop of a simulation: everything that is ready, everything that is due, and one thread.

internal import Conclave
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Something that can run now.
enum Runnable {
    /// `usesDisk`: it runs on a thread of its own, so that it may block, and waits for its machine's disk.
    case actor(RunnableCell, machine: Int, usesDisk: Bool)
    case job(RunnableJob, machine: Int)

    var machine: Int {
        switch self {
        case .actor(_, let machine, _), .job(_, let machine): machine
        }
    }
}

/// All that is shared by the machines of one simulation.
///
/// One thread at a time runs it: whoever is in `Simulation.run` or a function like it. Between such calls the caller's own
/// thread may send messages. Anything else from another thread is noted as interference, and the run fails.
final class SimulatedWorld: @unchecked Sendable {
    // SAFETY: everything below is touched under `lock`. It is never held while an actor, a job or an alarm runs.
    private let lock = Mutex(())

    private struct Alarm {
        var deadline: UInt64
        /// The deadline by the machine's own clock.
        var ownDeadline: UInt64 = 0
        /// Of alarms for the same moment the one set first goes off first.
        var order: Int
        var handler: @Sendable () -> Void
    }

    /// What is known of one machine.
    private struct MachineState {
        let name: String
        var alarm: Alarm?
        /// When its pause ends.
        var pausedUntil: UInt64?
        /// Nil: it has always been right.
        var clock: MachineClock?
        /// What each batch of an actor that uses the disk takes longer.
        var diskDelay: UInt64 = 0
        /// Before this moment none of them gets on.
        var diskHangsUntil: UInt64 = 0
    }

    private let configuration: Simulation.Configuration
    private var random: SimulationRandom
    private var priorities: PrioritySchedule?
    private var ready: [Runnable] = []
    /// What is ready on machines that are paused.
    private var held: [Runnable] = []
    /// What else is due, the latest first.
    private var events: [Alarm] = []
    /// What waits for a disk, by its event's order.
    private var waitingForDisk: [(order: Int, Runnable)] = []
    private var nextOrder = 0
    private var clock: UInt64
    private var stepCount = 0
    private var stepsAtThisMoment = 0
    private var machines: [MachineState] = []
    private var trace: SimulationTrace
    private var homeThread: pthread_t?
    private var isInterferedWith = false
    private var failure: SimulationError?

    /// Where the clock starts: not zero, so that nothing can take zero for a time.
    static let start: UInt64 = 1_000_000_000

    init(_ configuration: Simulation.Configuration, _ random: SimulationRandom) {
        self.configuration = configuration
        self.random = random
        clock = Self.start
        trace = SimulationTrace(capacity: configuration.traceCapacity)
        if case .priorities(let changePoints, let expectedSteps) = configuration.schedule {
            priorities = PrioritySchedule(changePoints: changePoints, expectedSteps: expectedSteps, &self.random)
        }
    }

    private func locked<Result>(_ body: () -> Result) -> Result { lock.withLock { _ in body() } }

    // MARK: What the seams call

    var now: UInt64 { locked { clock } }

    /// The time by a machine's clock.
    func now(on machine: Int) -> UInt64 { locked { machines[machine].clock?.own(at: clock) ?? clock } }

    func add(_ runnable: Runnable) {
        locked {
            noteThread()
            if case .actor(_, let machine, usesDisk: true) = runnable {
                let moment = max(clock + machines[machine].diskDelay, machines[machine].diskHangsUntil)
                if moment > clock { return wait(runnable, until: moment) }
            }
            makeReady(runnable)
        }
    }

    private func makeReady(_ runnable: Runnable) {
        if machines[runnable.machine].pausedUntil != nil { held.append(runnable) } else { ready.append(runnable) }
    }

    private func wait(_ runnable: Runnable, until moment: UInt64) {
        let order = nextOrder + 1
        waitingForDisk.append((order, runnable))
        addEvent(at: moment) { [unowned self] in
            locked {
                // Gone if its machine crashed meanwhile.
                guard let index = waitingForDisk.firstIndex(where: { $0.order == order }) else { return }
                makeReady(waitingForDisk.remove(at: index).1)
            }
        }
    }

    func setAlarm(of machine: Int, at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        locked {
            noteThread()
            nextOrder += 1
            machines[machine].alarm = deadline.map {
                Alarm(
                    deadline: machines[machine].clock?.world(at: $0) ?? $0,
                    ownDeadline: $0,
                    order: nextOrder,
                    handler: handler
                )
            }
        }
    }

    private func noteThread() {
        if let homeThread, pthread_equal(homeThread, pthread_self()) == 0 { isInterferedWith = true }
    }

    // MARK: What the simulation calls

    func addMachine(_ name: String) -> Int {
        locked {
            machines.append(MachineState(name: name))
            return machines.count - 1
        }
    }

    func note(_ kind: SimulationTrace.Kind, machine: Int, _ detail: String) {
        locked {
            trace.sign(UInt64(machine))
            trace.sign(detail)
            record(kind, machine, detail)
        }
    }

    func fail(_ error: SimulationError) { locked { if failure == nil { failure = error } } }

    /// What is wrong with the run so far.
    var currentFailure: SimulationError? { locked { isInterferedWith ? .outsideInterference : failure } }
    var currentTrace: SimulationTrace { locked { trace } }
    var steps: Int { locked { stepCount } }

    /// Whether nothing will ever happen by itself.
    var isQuiet: Bool { locked { ready.isEmpty && nextMoment == nil } }

    /// A number from the world's chance.
    func draw() -> UInt64 { locked { random.next() } }

    /// Runs `handler` at `moment`, or now if that is over. Of events for one moment the one added first runs first.
    func at(_ moment: UInt64, _ handler: @escaping @Sendable () -> Void) {
        locked {
            noteThread()
            addEvent(at: moment, handler)
        }
    }

    private func addEvent(at moment: UInt64, _ handler: @escaping @Sendable () -> Void) {
        nextOrder += 1
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].deadline > moment { low = middle + 1 } else { high = middle }
        }
        events.insert(Alarm(deadline: moment, order: nextOrder, handler: handler), at: low)
    }

    /// Runs `body` with the calling thread as the world's.
    func onHomeThread<Result>(_ body: () throws -> Result) rethrows -> Result {
        let outer = locked {
            let outer = homeThread
            homeThread = pthread_self()
            return outer
        }
        SimulatedThread.enter(messagesPerBatch: configuration.messagesPerBatch)
        defer {
            locked { homeThread = outer }
            if outer == nil { SimulatedThread.leave() }
        }
        return try body()
    }

    /// One actor's batch, one job, or the next alarm. False: nothing is left to happen before `deadline`.
    func step(until deadline: UInt64) -> Bool {
        enum Next {
            case run(Runnable)
            case fire(@Sendable () -> Void)
            case nothing
        }
        let next: Next = locked {
            if !ready.isEmpty, !isOvertakenByTime() { return .run(takeReady()) }
            guard let handler = nextAlarm(until: deadline) else { return ready.isEmpty ? .nothing : .run(takeReady()) }
            return .fire(handler)
        }
        switch next {
        case .run(let runnable): run(runnable)
        case .fire(let handler): handler()
        case .nothing: return false
        }
        return currentFailure == nil
    }

    /// Lets the clock reach `moment`. Nothing is due before.
    func passTime(to moment: UInt64) { locked { if moment > clock { setClock(moment) } } }

    /// Runs all that is ready on a machine that is going, and forgets its alarm; not part of the schedule.
    func runOut(_ machine: Int) {
        locked {
            machines[machine].alarm = nil
            resumeNow(machine)
            ready += waitingForDisk.filter { $0.1.machine == machine }.map(\.1)
            waitingForDisk.removeAll { $0.1.machine == machine }
        }
        while true {
            let next: Runnable? = locked {
                ready.firstIndex { $0.machine == machine }.map { ready.remove(at: $0) }
            }
            guard let next else { break }
            switch next {
            // Past its disk: it is going.
            case .actor(let cell, _, _): if cell.runBatch() { locked { ready.append(next) } }
            case .job(let job, _): job.run()
            }
        }
        locked { machines[machine].alarm = nil }
    }

    /// Nothing runs on the machine until `moment`.
    func pause(_ machine: Int, until moment: UInt64) {
        locked {
            machines[machine].pausedUntil = moment
            held += ready.filter { $0.machine == machine }
            ready.removeAll { $0.machine == machine }
        }
    }

    /// Changes a machine's clock; its alarm goes off by the new one.
    func changeClock(of machine: Int, _ change: (inout MachineClock, UInt64) -> Void) {
        locked {
            var own = machines[machine].clock ?? MachineClock()
            change(&own, clock)
            machines[machine].clock = own
            guard let alarm = machines[machine].alarm else { return }
            machines[machine].alarm?.deadline = max(clock, own.world(at: alarm.ownDeadline))
        }
    }

    /// From now on each batch of an actor that uses the machine's disk takes so much longer.
    func slowDisk(of machine: Int, by delay: UInt64) { locked { machines[machine].diskDelay = delay } }

    /// No actor that uses the machine's disk gets on before `moment`.
    func hangDisk(of machine: Int, until moment: UInt64) {
        locked { machines[machine].diskHangsUntil = moment }
    }

    // MARK: Private detail, under the lock

    /// Now and then an alarm goes off although there are actors that have not run yet, as on a busy machine.
    private func isOvertakenByTime() -> Bool {
        guard random.happens(perMille: configuration.earlyAlarmsPerMille) else { return false }
        let latest = clock + configuration.earlyAlarmWindow.nanoseconds
        return nextMoment.map { $0 <= latest } ?? false
    }

    /// When something is due next, on a machine or elsewhere.
    private var nextMoment: UInt64? {
        let due = nextDue?.deadline
        guard let event = events.last?.deadline else { return due }
        return min(event, due ?? .max)
    }

    /// The next event, if none of the machines has anything due before it.
    private func takeEvent(until deadline: UInt64) -> (@Sendable () -> Void)? {
        guard let event = events.last, event.deadline <= deadline, event.deadline <= nextDue?.deadline ?? .max else {
            return nil
        }
        events.removeLast()
        setClock(max(clock, event.deadline))
        countStep(UInt64(event.order) << 8 | 2)
        return event.handler
    }

    private var nextDue: (machine: Int, deadline: UInt64, isPause: Bool)? {
        var best: (machine: Int, deadline: UInt64, order: Int, isPause: Bool)?
        for machine in machines.indices {
            if let end = machines[machine].pausedUntil {
                if best.map({ end < $0.deadline }) ?? true { best = (machine, end, 0, true) }
            } else if let (deadline, order) = machines[machine].alarm.map({ ($0.deadline, $0.order) }) {
                let isEarlier = best.map { (deadline, order) < ($0.deadline, $0.order) } ?? true
                if isEarlier { best = (machine, deadline, order, false) }
            }
        }
        return best.map { ($0.machine, $0.deadline, $0.isPause) }
    }

    private func nextAlarm(until deadline: UInt64) -> (@Sendable () -> Void)? {
        while true {
            if let event = takeEvent(until: deadline) { return event }
            guard let due = nextDue, due.deadline <= deadline else { return nil }
            setClock(max(clock, due.deadline))
            if due.isPause {
                resumeNow(due.machine)
                record(.resume, due.machine, "")
                if ready.isEmpty { continue }
                return {}
            }
            let handler = machines[due.machine].alarm.take()?.handler
            countStep(UInt64(due.machine) &+ 1_000)
            record(.timer, due.machine, "")
            return handler
        }
    }

    private func resumeNow(_ machine: Int) {
        guard machines[machine].pausedUntil.take() != nil else { return }
        ready += held.filter { $0.machine == machine }
        held.removeAll { $0.machine == machine }
    }

    private func setClock(_ moment: UInt64) {
        if moment > clock { stepsAtThisMoment = 0 }
        clock = moment
    }

    private func takeReady() -> Runnable {
        let index: Int
        switch configuration.schedule {
        case .random: index = ready.count == 1 ? 0 : Int.random(in: 0..<ready.count, using: &random)
        case .inOrder: index = 0
        case .priorities: index = priorities?.pick(ready.map(path), step: stepCount) ?? 0
        }
        countStep(UInt64(index) << 32 | UInt64(ready.count))
        return ready.remove(at: index)
    }

    private func path(_ runnable: Runnable) -> String {
        switch runnable {
        case .actor(let cell, let machine, _): "\(machines[machine].name)\(cell.path)"
        case .job(_, let machine): "\(machines[machine].name)"
        }
    }

    private func countStep(_ what: UInt64) {
        stepCount += 1
        stepsAtThisMoment += 1
        trace.sign(what)
        trace.sign(clock)
        if stepsAtThisMoment > configuration.stepsWithoutTime, failure == nil {
            failure = .livelock(steps: stepsAtThisMoment)
        }
    }

    private func run(_ runnable: Runnable) {
        switch runnable {
        case .actor(let cell, let machine, _):
            // Before it runs: it may be gone afterwards.
            let path = configuration.traceCapacity > 0 ? cell.path : ""
            let yields = cell.runBatch()
            locked { record(yields ? .runAndYield : .run, machine, path) }
            if yields { add(runnable) }
        case .job(let job, let machine):
            locked { record(.job, machine, "") }
            job.run()
        }
    }

    private func record(_ kind: SimulationTrace.Kind, _ machine: Int, _ detail: String) {
        trace.add(
            SimulationTrace.Event(
                step: stepCount,
                nanoseconds: clock - Self.start,
                machine: machines[machine].name,
                kind: kind,
                detail: detail
            )
        )
    }
}
