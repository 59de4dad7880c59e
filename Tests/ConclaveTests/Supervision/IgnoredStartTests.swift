import Conclave
import Testing

/// A child that calls `stop` in `started`: what OTP's supervisor does about an `init` that returns `ignore`.
@Suite(.timeLimit(.minutes(1))) struct IgnoredStartTests {
    /// A supervisor of a, b and c, of which b stops itself in each `started` for which `ignores` says so.
    private struct Trio {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let refs = Journal<(String, ActorRef<Puppet.Message>)>()
        let supervisor: ActorRef<Never>

        init(
            _ strategy: SupervisionStrategy,
            _ restart: RestartType,
            autoShutdown: AutoShutdown = .never,
            isSignificant: Bool = false,
            ignores: @escaping @Sendable (_ start: Int) -> Bool
        ) throws {
            let (journal, refs) = (journal, refs)
            supervisor = try world.system.spawn("supervisor") {
                Supervisor(strategy: strategy, autoShutdown: autoShutdown) { context in
                    for name in ["a", "b", "c"] {
                        let options = SpawnOptions(
                            restart: name == "b" ? restart : .permanent,
                            isSignificant: name == "b" && isSignificant
                        )
                        let ref = try context.spawn(name, options: options) {
                            Puppet(
                                starting: { context in
                                    journal.note("+\(name)")
                                    let starts = journal.entries.count { $0 == "+b" }
                                    if name == "b", ignores(starts) { context.stop() }
                                },
                                stopping: { _, _ in journal.note("-\(name)") }
                            )
                        }
                        refs.note((name, ref))
                    }
                }
            }
            world.settle()
        }

        func fail(_ name: String) {
            refs.entries.last { $0.0 == name }?.1.act { _ in throw Planned() }
            world.settle()
        }
    }

    @Test(
        "a child that stops itself in started is not started again for that, whatever its restart type, and is no failure",
        arguments: ConformanceTests.restarts,
        ConformanceTests.strategies
    )
    func notStartedAgain(_ restart: RestartType, _ strategy: SupervisionStrategy) async throws {
        let trio = try Trio(strategy, restart) { _ in true }
        // The supervisor's start goes on with the next child.
        #expect(trio.journal.entries == ["+a", "+b", "-b", "+c"])
        #expect(trio.world.system.counts.failures == 0)
        await trio.world.shutdown()
    }

    @Test(
        "a child that stopped itself in started is started when its group is, in its place, unless it is temporary",
        arguments: ConformanceTests.restarts
    )
    func startedWithItsGroup(_ restart: RestartType) async throws {
        let trio = try Trio(.oneForAll, restart) { $0 == 1 }
        trio.fail("c")
        let second = restart == .temporary ? ["+a", "+c"] : ["+a", "+b", "+c"]
        #expect(trio.journal.entries == ["+a", "+b", "-b", "+c"] + ["-c", "-a"] + second)
        await trio.world.shutdown()
    }

    @Test("a child that stops itself in each start keeps its place among its siblings")
    func keepsItsPlace() async throws {
        let trio = try Trio(.oneForAll, .permanent) { $0 < 3 }
        trio.fail("c")
        trio.world.advance(by: .seconds(10))
        trio.fail("c")
        let first = ["+a", "+b", "-b", "+c"]
        #expect(trio.journal.entries == first + ["-c", "-a"] + first + ["-c", "-a", "+a", "+b", "+c"])
        await trio.world.shutdown()
    }

    @Test("a permanent child that stops itself in the start after a failure stays ended")
    func inARestart() async throws {
        let trio = try Trio(.oneForOne, .permanent) { $0 > 1 }
        trio.fail("b")
        #expect(trio.journal.entries == ["+a", "+b", "+c", "-b", "+b", "-b"])
        await trio.world.shutdown()
    }

    @Test(
        "a significant child that stops itself in started does not end its parent",
        arguments: [AutoShutdown.anySignificant, .allSignificant]
    )
    func significant(_ autoShutdown: AutoShutdown) async throws {
        let trio = try Trio(.oneForOne, .transient, autoShutdown: autoShutdown, isSignificant: true) { _ in true }
        #expect(trio.journal.entries == ["+a", "+b", "-b", "+c"])
        await trio.world.shutdown()
    }

    @Test("a dynamic supervisor does not keep a child that stops itself in started")
    func dynamic() async throws {
        let system = ActorSystem("ignored")
        let supervisor = try system.spawn {
            DynamicSupervisor(options: .permanent) { (ignores: Bool) in
                Puppet(starting: { if ignores { $0.stop() } })
            }
        }
        let ignored = try await supervisor.start(true)
        let running = try await supervisor.start(false)
        #expect(try await supervisor.children() == [running])
        #expect("\(await ignored.terminated())" == "noProcess")
        await system.shutdown()
    }
}
