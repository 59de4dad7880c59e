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
    private let running = Mutex<ActorSystem?>(nil)

    init(
        _ name: String,
        in world: SimulatedWorld,
        clockPerMille: UInt64,
        boot: @escaping @Sendable (SimulatedMachine) throws -> Void
    ) {
        precondition((1...1_000_000).contains(clockPerMille), "a clock goes on by 1 to 1,000,000 per mille")
        self.name = name
        self.world = world
        self.boot = boot
        number = world.addMachine(name)
        guard clockPerMille != 1_000 else { return }
        world.changeClock(of: number) { $0.setRate(partsPerMillion: (Int(clockPerMille) - 1_000) * 1_000, at: $1) }
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
            time: MachineTime(machine: number, world)
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

    /// From now on the machine's clock, and with it its timers, runs at another rate. It goes on so after a crash.
    ///
    /// - Parameter partsPerMillion: so many millionths faster than the world's; negative: slower. -100,000 to 100,000; 0 is right.
    public func setClockRate(partsPerMillion: Int) {
        precondition(
            (-100_000...100_000).contains(partsPerMillion),
            "a clock is off by at most 100,000 ppm, not \(partsPerMillion)"
        )
        world.note(.clock, machine: number, "\(partsPerMillion) ppm")
        world.changeClock(of: number) { $0.setRate(partsPerMillion: partsPerMillion, at: $1) }
    }

    /// The machine's clock jumps ahead, as after a sleep that it did not notice. It is monotonic: it never jumps back.
    public func jumpClock(by duration: Duration) {
        world.note(.clock, machine: number, "\(duration) ahead")
        world.changeClock(of: number) { $0.jump(by: duration.nanoseconds, at: $1) }
    }

    /// From now on every batch of the actors that may block (`SpawnOptions.runsOn` a thread of their own) starts so much later: a slow
    /// disk. Zero: as fast as before.
    public func slowDisk(by delay: Duration) {
        world.note(.disk, machine: number, "slower by \(delay)")
        world.slowDisk(of: number, by: delay.nanoseconds)
    }

    /// The actors that may block stand still for so long, and nobody else does: a hung disk.
    public func hangDisk(for duration: Duration) {
        world.note(.disk, machine: number, "hangs for \(duration)")
        world.hangDisk(of: number, until: world.now + duration.nanoseconds)
    }
}
