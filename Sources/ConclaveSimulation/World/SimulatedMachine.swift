// One computer of a simulated world: it runs one actor system, and can fail.

public import Conclave
internal import Synchronization

/// A machine that can crash, restart and pause.
public final class SimulatedMachine: Sendable {
    /// For traces.
    public let name: String
    private let boot: @Sendable (SimulatedMachine) throws -> Void
    private let world: SimulatedWorld
    private let number: Int
    private let clockPerMille: UInt64
    private let running = Mutex<ActorSystem?>(nil)

    init(
        _ name: String,
        in world: SimulatedWorld,
        clockPerMille: UInt64,
        boot: @escaping @Sendable (SimulatedMachine) throws -> Void
    ) {
        precondition((1...1_000_000).contains(clockPerMille), "a clock goes on by 1 to 1,000,000 per mille")
        self.name = name
        self.clockPerMille = clockPerMille
        self.world = world
        self.boot = boot
        number = world.addMachine(name)
    }

    /// The system that runs now. A crash ends it, and a restart makes another.
    public var system: ActorSystem {
        guard let system = running.withLock({ $0 }) else { preconditionFailure("\(name) is down") }
        return system
    }

    /// Whether it runs.
    public var isUp: Bool { running.withLock { $0 != nil } }

    func start() throws {
        let system = ActorSystem(
            name,
            scheduler: MachineScheduler(machine: number, world),
            time: MachineTime(machine: number, world, perMille: clockPerMille)
        )
        running.withLock { $0 = system }
        world.note(.boot, machine: number, "")
        try world.onHomeThread { try boot(self) }
    }

    /// The power goes: all actors vanish with their memory and their mailboxes. No `stopping` hook runs. Refs to them lead to dead
    /// letters from now on.
    public func crash() {
        guard let system = running.withLock({ $0.take() }) else { return }
        world.note(.crash, machine: number, "")
        world.onHomeThread {
            system.kill()
            world.runOut(number)
            system.releaseTimers()
            world.runOut(number)
        }
    }

    /// Starts the machine again, from its boot closure.
    ///
    /// - Throws: what the boot closure throws; the machine is up then, with what that had started.
    public func restart() throws {
        crash()
        try start()
    }

    /// Nothing runs on the machine for so much virtual time. Messages and timers wait.
    public func pause(for duration: Duration) {
        world.note(.pause, machine: number, "\(duration)")
        world.pause(number, until: world.now + duration.nanoseconds)
    }
}
