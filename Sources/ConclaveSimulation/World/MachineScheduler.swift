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

    func schedule(_ cell: RunnableCell) { world.add(.actor(cell, machine: machine, usesDisk: false)) }

    /// In a simulation nothing blocks: time does not pass while a handler runs. It may pass before, where the disk is slow.
    func scheduleOnOwnThread(_ cell: RunnableCell) { world.add(.actor(cell, machine: machine, usesDisk: true)) }

    func schedule(_ job: RunnableJob) { world.add(.job(job, machine: machine)) }

    /// There is no thread to give back.
    func shutdown() async {}
}

/// The clock of one machine: the world's, as long as nobody makes it wrong.
final class MachineTime: TimeSource {
    private let machine: Int
    private let world: SimulatedWorld

    init(machine: Int, _ world: SimulatedWorld) {
        self.machine = machine
        self.world = world
    }

    var now: UInt64 { world.now(on: machine) }

    func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        world.setAlarm(of: machine, at: deadline, handler)
    }
}
