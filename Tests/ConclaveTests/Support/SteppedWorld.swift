import Conclave
import Dispatch

/// Runs actors one batch at a time, on the thread of the test, when the test says so.
final class SteppedScheduler: Scheduler {
    private struct State {
        var ready: [RunnableCell] = []
        var isFree = false
    }
    private let state = Guarded(State())
    private let queue = DispatchQueue(label: "stepped")
    /// Notes each time that an actor becomes ready, for tests with tasks that send.
    let becameReady = Journal<Int>()

    func schedule(_ cell: RunnableCell) {
        defer { becameReady.note(1) }
        let isFree = state.withLock { state in
            if !state.isFree { state.ready.append(cell) }
            return state.isFree
        }
        if isFree { queue.async { if cell.runBatch() { self.schedule(cell) } } }
    }

    func scheduleOnOwnThread(_ cell: RunnableCell) { schedule(cell) }

    func schedule(_ job: RunnableJob) { queue.async { job.run() } }

    /// The actors have ended; their last batch is over when this returns.
    func shutdown() async { queue.sync {} }

    /// Runs one batch of the actor that has waited longest. False: none is ready.
    @discardableResult
    func step() -> Bool {
        guard let cell = state.withLock({ $0.ready.isEmpty ? nil : $0.ready.removeFirst() }) else { return false }
        if cell.runBatch() { schedule(cell) }
        return true
    }

    /// Runs until no actor is ready.
    func settle() { while step() {} }

    /// As `settle`, but the actor that became ready last goes first.
    func runNewestFirst() {
        while let cell = state.withLock({ $0.ready.popLast() }) {
            if cell.runBatch() { schedule(cell) }
        }
    }

    /// Runs one batch of the actor that became ready last.
    func stepNewest() {
        guard let cell = state.withLock({ $0.ready.popLast() }) else { return }
        if cell.runBatch() { schedule(cell) }
    }

    /// From now on actors run by themselves: for the end of a test.
    func release() {
        let ready = state.withLock { state in
            state.isFree = true
            defer { state.ready = [] }
            return state.ready
        }
        for cell in ready { schedule(cell) }
    }
}

/// Time that only passes when the test says so.
final class VirtualTime: TimeSource {
    /// Counts the settings of the alarm.
    let settings = Counter()
    private struct State {
        var now: UInt64 = 1_000_000_000
        var alarm: (deadline: UInt64, handler: @Sendable () -> Void)?
    }
    private let state = Guarded(State())

    var now: UInt64 { state.withLock { $0.now } }

    func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        settings.up()
        state.withLock { $0.alarm = deadline.map { ($0, handler) } }
    }

    /// Lets time pass and fires each alarm at its own moment.
    func advance(by duration: Duration) {
        let end = now + duration.nanoseconds
        while let handler = nextAlarm(until: end) { handler() }
        state.withLock { $0.now = end }
    }

    private func nextAlarm(until end: UInt64) -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard let alarm = state.alarm, alarm.deadline <= end else { return nil }
            state.now = max(state.now, alarm.deadline)
            state.alarm = nil
            return alarm.handler
        }
    }
}

/// A system whose threads and time belong to the test.
struct SteppedWorld {
    let scheduler = SteppedScheduler()
    let time = VirtualTime()
    let system: ActorSystem

    init(restartIntensity: RestartIntensity = .default, instrument: (any Instrument)? = nil, seed: UInt64 = 0) {
        system = ActorSystem(
            "stepped",
            scheduler: scheduler,
            time: time,
            restartIntensity: restartIntensity,
            instrument: instrument,
            seed: seed
        )
    }

    /// Runs until no actor is ready.
    func settle() { scheduler.settle() }

    /// Lets time pass and runs what became ready at its end.
    func advance(by duration: Duration) {
        time.advance(by: duration)
        settle()
    }

    func shutdown() async {
        scheduler.release()
        await system.shutdown()
    }
}
