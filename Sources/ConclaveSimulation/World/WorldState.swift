// What is ready, what is due and what time it is: the decisions of a simulation's loop.

internal import Conclave

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

/// The state of a simulated world. Runs nothing itself.
struct WorldState {
    /// What the loop does next.
    enum Next {
        case run(Runnable)
        case call(@Sendable () -> Void)
        /// Something became ready, or time went on.
        case again
        /// Nothing is left to happen before the deadline, or the run has failed.
        case nothing
    }

    /// Something that happens at a moment, on no machine's own account.
    struct Event {
        fileprivate enum What {
            case call(@Sendable () -> Void)
            /// What waits for a disk under this event's order may go on.
            case diskDone
        }
        fileprivate let deadline: UInt64
        /// Of two for the same moment the one added first comes first.
        fileprivate let order: Int
        fileprivate let what: What
    }

    /// What is known of one machine.
    private struct Machine {
        let name: String
        /// When its alarm goes off; `.max`: never.
        var alarm = UInt64.max
        /// The same by the machine's own clock.
        var ownAlarm: UInt64 = 0
        /// Of alarms for the same moment the one set first goes off first.
        var alarmOrder = 0
        var handler: (@Sendable () -> Void)?
        /// When its pause ends.
        var pausedUntil: UInt64?
        /// Nil: it has always been right.
        var clock: MachineClock?
        /// What each batch of an actor that uses the disk takes longer.
        var diskDelay: UInt64 = 0
        /// Before this moment none of them gets on.
        var diskHangsUntil: UInt64 = 0

        mutating func forgetAlarm() { (alarm, handler) = (.max, nil) }
    }

    /// What happens to a machine next.
    private struct Due {
        /// Stands for no machine.
        static let never = Due(machine: -1, deadline: .max, order: .max, isPause: false)

        let machine: Int
        let deadline: UInt64
        let order: Int
        let isPause: Bool

        /// Whether it comes before that of a machine with a lower number. The end of a pause comes behind what is due at the same moment.
        func isBefore(_ other: Due) -> Bool {
            isPause ? deadline < other.deadline : (deadline, order) < (other.deadline, other.order)
        }
    }

    private let configuration: Simulation.Configuration
    private var random: SimulationRandom
    private var priorities: PrioritySchedule?
    private var ready: [Runnable] = []
    /// What is ready on machines that are paused.
    private var held: [Runnable] = []
    /// What else is due, the latest first.
    private var events: [Event] = []
    /// What waits for a disk, by its event's order.
    private var waitingForDisk: [(order: Int, Runnable)] = []
    private var nextOrder = 0
    private(set) var clock: UInt64
    private(set) var stepCount = 0
    private var stepsAtThisMoment = 0
    private var machines: [Machine] = []
    /// The next alarm or end of a pause; nil: not known.
    private var due: Due?
    private(set) var trace: SimulationTrace
    /// What is wrong with the run.
    private(set) var failure: SimulationError?

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

    mutating func fail(_ error: SimulationError) { if failure == nil { failure = error } }

    /// A number from the world's chance.
    mutating func draw() -> UInt64 { random.next() }
}

// MARK: - What becomes ready, and when

extension WorldState {
    /// Whether nothing will ever happen by itself.
    var isQuiet: Bool { ready.isEmpty && events.isEmpty && (due ?? findDue()).machine < 0 }

    mutating func add(_ runnable: Runnable) {
        guard case .actor(_, let machine, usesDisk: true) = runnable else { return makeReady(runnable) }
        let moment = max(clock + machines[machine].diskDelay, machines[machine].diskHangsUntil)
        guard moment > clock else { return makeReady(runnable) }
        waitingForDisk.append((nextOrder + 1, runnable))
        addEvent(at: moment, .diskDone)
    }

    private mutating func makeReady(_ runnable: Runnable) {
        if machines[runnable.machine].pausedUntil != nil { held.append(runnable) } else { ready.append(runnable) }
    }

    /// Runs `handler` at `moment`, or now if that is over.
    mutating func at(_ moment: UInt64, _ handler: @escaping @Sendable () -> Void) {
        addEvent(at: moment, .call(handler))
    }

    private mutating func addEvent(at moment: UInt64, _ what: Event.What) {
        nextOrder += 1
        var low = 0
        var high = events.count
        while low < high {
            let middle = (low + high) / 2
            if events[middle].deadline > moment { low = middle + 1 } else { high = middle }
        }
        events.insert(Event(deadline: moment, order: nextOrder, what: what), at: low)
    }

    /// All that is yet to happen, which then does not.
    mutating func takeEvents() -> [Event] {
        defer { events = [] }
        return events
    }

    mutating func setAlarm(of machine: Int, at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        nextOrder += 1
        if due?.machine == machine { due = nil }
        guard let deadline else { return machines[machine].forgetAlarm() }
        machines[machine].alarm = machines[machine].clock?.world(at: deadline) ?? deadline
        machines[machine].ownAlarm = deadline
        machines[machine].alarmOrder = nextOrder
        machines[machine].handler = handler
        guard let known = due, let own = ownDue(machine), own.deadline <= known.deadline else { return }
        due = own.deadline < known.deadline ? own : nil
    }

    /// What happens to a machine next; nil: nothing.
    private func ownDue(_ machine: Int) -> Due? {
        if let end = machines[machine].pausedUntil {
            return Due(machine: machine, deadline: end, order: 0, isPause: true)
        }
        guard machines[machine].handler != nil else { return nil }
        let (alarm, order) = (machines[machine].alarm, machines[machine].alarmOrder)
        return Due(machine: machine, deadline: alarm, order: order, isPause: false)
    }

    private func findDue() -> Due {
        var best = Due.never
        for machine in machines.indices {
            if let due = ownDue(machine), due.isBefore(best) { best = due }
        }
        return best
    }

    private mutating func nextDue() -> Due {
        let next = due ?? findDue()
        due = next
        return next
    }
}

// MARK: - The next step

extension WorldState {
    /// What is next: an actor's batch, a job, an event or an alarm.
    mutating func next(until deadline: UInt64) -> Next {
        if failure != nil { return .nothing }
        if !ready.isEmpty, !isOvertakenByTime() { return .run(takeReady()) }
        let next = nextAlarm(until: deadline)
        if case .nothing = next, !ready.isEmpty { return .run(takeReady()) }
        return next
    }

    /// Now and then an alarm goes off although there are actors that have not run yet, as on a busy machine.
    private mutating func isOvertakenByTime() -> Bool {
        guard random.happens(perMille: configuration.earlyAlarmsPerMille) else { return false }
        let latest = clock + configuration.earlyAlarmWindow.nanoseconds
        return min(nextDue().deadline, events.last?.deadline ?? .max) <= latest
    }

    private mutating func nextAlarm(until deadline: UInt64) -> Next {
        while true {
            let due = nextDue()
            if let event = events.last, event.deadline <= min(deadline, due.deadline) { return take(event) }
            guard due.machine >= 0, due.deadline <= deadline else { return .nothing }
            setClock(max(clock, due.deadline))
            if due.isPause {
                resume(due.machine)
                record(.resume, due.machine, "")
                if ready.isEmpty { continue }
                return .again
            }
            let handler = machines[due.machine].handler
            machines[due.machine].forgetAlarm()
            self.due = nil
            countStep(UInt64(due.machine) &+ 1_000)
            record(.timer, due.machine, "")
            return handler.map(Next.call) ?? .again
        }
    }

    /// The last of the events, which is the next.
    private mutating func take(_ event: Event) -> Next {
        events.removeLast()
        setClock(max(clock, event.deadline))
        countStep(UInt64(event.order) << 8 | 2)
        switch event.what {
        case .call(let handler): return .call(handler)
        case .diskDone:
            // Gone if its machine crashed meanwhile.
            if let index = waitingForDisk.firstIndex(where: { $0.order == event.order }) {
                makeReady(waitingForDisk.remove(at: index).1)
            }
            return .again
        }
    }

    private mutating func setClock(_ moment: UInt64) {
        if moment > clock { stepsAtThisMoment = 0 }
        clock = moment
    }

    /// Lets the clock reach `moment`. Nothing is due before.
    mutating func passTime(to moment: UInt64) { if moment > clock { setClock(moment) } }

    private mutating func takeReady() -> Runnable {
        let index: Int
        switch configuration.schedule {
        case .random: index = ready.count == 1 ? 0 : Int.random(in: 0..<ready.count, using: &random)
        case .inOrder: index = 0
        case .priorities:
            let paths = ready.map(path)
            index = priorities?.pick(paths, step: stepCount) ?? 0
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

    private mutating func countStep(_ what: UInt64) {
        stepCount += 1
        stepsAtThisMoment += 1
        trace.sign(what)
        trace.sign(clock)
        if stepsAtThisMoment > configuration.stepsWithoutTime { fail(.livelock(steps: stepsAtThisMoment)) }
    }
}

// MARK: - Machines

extension WorldState {
    mutating func addMachine(_ name: String) -> Int {
        machines.append(Machine(name: name))
        return machines.count - 1
    }

    /// The time by a machine's clock.
    func now(on machine: Int) -> UInt64 { machines[machine].clock?.own(at: clock) ?? clock }

    /// A machine is going: it is not paused any more, has no alarm, and nothing waits for its disk.
    mutating func beginEnd(of machine: Int) {
        forgetAlarm(of: machine)
        resume(machine)
        ready += waitingForDisk.filter { $0.1.machine == machine }.map(\.1)
        waitingForDisk.removeAll { $0.1.machine == machine }
    }

    /// Something that is ready on this machine, whatever the schedule.
    mutating func takeReady(on machine: Int) -> Runnable? {
        ready.firstIndex { $0.machine == machine }.map { ready.remove(at: $0) }
    }

    /// It is ready, paused or not.
    mutating func addOnEnd(_ runnable: Runnable) { ready.append(runnable) }

    mutating func forgetAlarm(of machine: Int) {
        machines[machine].forgetAlarm()
        due = nil
    }

    /// Nothing runs on the machine until `moment`.
    mutating func pause(_ machine: Int, until moment: UInt64) {
        machines[machine].pausedUntil = moment
        due = nil
        held += ready.filter { $0.machine == machine }
        ready.removeAll { $0.machine == machine }
    }

    private mutating func resume(_ machine: Int) {
        guard machines[machine].pausedUntil.take() != nil else { return }
        due = nil
        ready += held.filter { $0.machine == machine }
        held.removeAll { $0.machine == machine }
    }

    /// Changes a machine's clock; its alarm goes off by the new one.
    mutating func changeClock(of machine: Int, _ change: (inout MachineClock, UInt64) -> Void) {
        var own = machines[machine].clock ?? MachineClock()
        change(&own, clock)
        machines[machine].clock = own
        due = nil
        guard machines[machine].handler != nil else { return }
        machines[machine].alarm = max(clock, own.world(at: machines[machine].ownAlarm))
    }

    /// From now on each batch of an actor that uses the machine's disk takes so much longer.
    mutating func slowDisk(of machine: Int, by delay: UInt64) { machines[machine].diskDelay = delay }

    /// No actor that uses the machine's disk gets on before `moment`.
    mutating func hangDisk(of machine: Int, until moment: UInt64) { machines[machine].diskHangsUntil = moment }

    // MARK: The trace

    mutating func note(_ kind: SimulationTrace.Kind, machine: Int, _ detail: String) {
        trace.sign(UInt64(machine))
        trace.sign(detail)
        record(kind, machine, detail)
    }

    mutating func record(_ kind: SimulationTrace.Kind, _ machine: Int, _ detail: String) {
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
