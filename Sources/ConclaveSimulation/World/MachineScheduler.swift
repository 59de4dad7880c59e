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

/// The clock of one machine: as fast as the world's, or a little slower or faster.
final class MachineTime: TimeSource {
    private let machine: Int
    private let world: SimulatedWorld
    /// How much it goes on while the world's goes on by a thousand.
    private let perMille: UInt64

    init(machine: Int, _ world: SimulatedWorld, perMille: UInt64) {
        self.machine = machine
        self.world = world
        self.perMille = perMille
    }

    var now: UInt64 { SimulatedWorld.start + (world.now - SimulatedWorld.start) * perMille / 1_000 }

    /// The alarm goes off at the first moment of the world's at which it is that late here.
    func setAlarm(at deadline: UInt64?, _ handler: @escaping @Sendable () -> Void) {
        let moment = deadline.map { deadline in
            let late = max(deadline, SimulatedWorld.start) - SimulatedWorld.start
            let (scaled, isBeyond) = late.multipliedReportingOverflow(by: 1_000)
            if isBeyond { return UInt64.max }
            return SimulatedWorld.start + scaled / perMille + (scaled % perMille == 0 ? 0 : 1)
        }
        world.setAlarm(of: machine, at: moment, handler)
    }
}
