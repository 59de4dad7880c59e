// The seams of one simulated machine: where its actors wait to be run, and what time it is for them.

internal import Conclave

/// Hands what is ready on one machine to the world's loop.
final class MachineScheduler: Scheduler {
    let machine: Int
    private let world: SimulatedWorld

    init(machine: Int, _ world: SimulatedWorld) {
        self.machine = machine
        self.world = world
    }

    func schedule(_ cell: RunnableCell) { world.add(.actor(cell, machine: machine)) }

    /// In a simulation nothing blocks: time does not pass while a handler runs.
    func scheduleOnOwnThread(_ cell: RunnableCell) { schedule(cell) }

    func schedule(_ job: RunnableJob) { world.add(.job(job, machine: machine)) }

    /// There is no thread to give back.
    func shutdown() async {}
}

/// The clock of one machine: the world's.
final class MachineTime: TimeSource {
    private let machine: Int
    private let world: SimulatedWorld

    init(machine: Int, _ world: SimulatedWorld) {
        self.machine = machine
        self.world = world
    }

    var now: UInt64 { world.now }

    func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        world.setAlarm(of: machine, at: deadline, handler)
    }
}
