import Conclave
import Testing

/// How a child ends.
enum ExitKind: String, CaseIterable, Sendable {
    case normal, shutdown, failed, killed

    /// Whether OTP's supervisor counts it as abnormal.
    var isAbnormal: Bool { self == .failed || self == .killed }

    /// Makes an actor end so.
    func end(_ actor: ActorRef<Puppet.Message>) {
        switch self {
        case .normal: actor.act { $0.stop() }
        case .shutdown: actor.stop()
        case .failed: actor.act { _ in throw Planned() }
        case .killed: actor.kill()
        }
    }
}

/// Exit kind by restart type by strategy: what OTP's supervisor does, with the order of stops and starts.
@Suite(.timeLimit(.minutes(1))) struct ConformanceTests {
    static let restarts: [RestartType] = [.permanent, .transient, .temporary]
    static let strategies: [SupervisionStrategy] = [.oneForOne, .oneForAll, .restForOne]

    struct Case: Sendable, CustomTestStringConvertible {
        var exit: ExitKind
        var restart: RestartType
        var strategy: SupervisionStrategy

        var testDescription: String { "\(restart) child, \(exit), \(strategy)" }

        var isRestarted: Bool { restart == .permanent || (restart == .transient && exit.isAbnormal) }

        /// Of children a, b, c and d, where b is the one that ends and d is temporary: `-` is a stop, `+` a start. A killed
        /// actor has no `stopping` hook.
        var expected: [String] {
            let end = exit == .killed ? [] : ["-b"]
            guard isRestarted else { return end }
            switch strategy {
            case .oneForOne: return end + ["+b"]
            case .oneForAll: return end + ["-d", "-c", "-a", "+a", "+b", "+c"]
            case .restForOne: return end + ["-d", "-c", "+b", "+c"]
            }
        }

        static var all: [Case] {
            ExitKind.allCases.flatMap { exit in
                ConformanceTests.restarts.flatMap { restart in
                    ConformanceTests.strategies.map { Case(exit: exit, restart: restart, strategy: $0) }
                }
            }
        }
    }

    @Test(
        "static children: restart type and exit kind decide whether, the strategy decides who, in which order",
        arguments: Case.all
    )
    func staticChildren(_ row: Case) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let refs = Journal<ActorRef<Puppet.Message>>()
        let restarts: [(String, RestartType)] = [
            ("a", .permanent), ("b", row.restart), ("c", .transient), ("d", .temporary),
        ]
        try world.system.spawn("supervisor") {
            Supervisor(strategy: row.strategy) { context in
                for (name, restart) in restarts {
                    refs.note(
                        try context.spawn(name, options: SpawnOptions(restart: restart)) {
                            Puppet(
                                starting: { _ in journal.note("+\(name)") },
                                stopping: { _, _ in journal.note("-\(name)") }
                            )
                        }
                    )
                }
            }
        }
        #expect(journal.entries == ["+a", "+b", "+c", "+d"])
        row.exit.end(refs.entries[1])
        world.settle()
        #expect(Array(journal.entries.dropFirst(4)) == row.expected)
        // Those that live are the same actors as before.
        for (index, name) in ["a", "b", "c", "d"].enumerated() {
            let heard = Journal<Int>()
            refs.entries[index].act { _ in heard.note(1) }
            world.settle()
            let isAlive =
                switch name {
                case "b": row.isRestarted
                case "d": !row.isRestarted || row.strategy == .oneForOne
                default: true
                }
            #expect(heard.entries.count == (isAlive ? 1 : 0), "\(name)")
        }
        await world.shutdown()
    }

    struct DynamicCase: Sendable, CustomTestStringConvertible {
        var exit: ExitKind
        var restart: RestartType

        var testDescription: String { "\(restart) dynamic child, \(exit)" }

        var isRestarted: Bool { restart == .permanent || (restart == .transient && exit.isAbnormal) }

        /// Of children a, b and c, where b is the one that ends.
        var expected: [String] { (exit == .killed ? [] : ["-b"]) + (isRestarted ? ["+b"] : []) }

        static var all: [DynamicCase] {
            ExitKind.allCases.flatMap { exit in
                ConformanceTests.restarts.map { DynamicCase(exit: exit, restart: $0) }
            }
        }
    }

    @Test(
        "dynamic children: the child that ended is restarted from its argument as its restart type says, and no other",
        arguments: DynamicCase.all
    )
    func dynamicChildren(_ row: DynamicCase) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let refs = Journal<ActorRef<Puppet.Message>>()
        let supervisor = try world.system.spawn("supervisor") {
            DynamicSupervisor(options: SpawnOptions(restart: row.restart)) { (name: String) in
                Puppet(
                    starting: { _ in journal.note("+\(name)") },
                    stopping: { _, _ in journal.note("-\(name)") }
                )
            }
        }
        let caller = try world.system.spawn { Puppet() }
        for name in ["a", "b", "c"] {
            caller.act { context in
                context.ask(supervisor, { .start(name, $0) }) { answer in
                    .act { _ in refs.note(try answer.get().get()) }
                }
            }
            world.settle()
        }
        #expect(journal.entries == ["+a", "+b", "+c"])
        row.exit.end(refs.entries[1])
        world.settle()
        #expect(Array(journal.entries.dropFirst(3)) == row.expected)
        // Those that live are the same actors as before.
        for (index, isAlive) in [true, row.isRestarted, true].enumerated() {
            let heard = Journal<Int>()
            refs.entries[index].act { _ in heard.note(1) }
            world.settle()
            #expect(heard.entries.count == (isAlive ? 1 : 0), "\(index)")
        }
        await world.shutdown()
        #expect(journal.entries.suffix(row.isRestarted ? 3 : 2).allSatisfy { $0.hasPrefix("-") })
    }

    @Test("the table is whole: each exit kind by each restart type by each strategy, static and dynamic")
    func wholeTable() {
        let rows = Set(Case.all.map(\.testDescription) + DynamicCase.all.map(\.testDescription))
        #expect(rows.count == 4 * 3 * 3 + 4 * 3)
    }

    @Test("any parent can supervise so, from its `started`", arguments: strategies)
    func anyParent(_ strategy: SupervisionStrategy) async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let refs = Journal<ActorRef<Puppet.Message>>()
        try world.system.spawn {
            Puppet(starting: { context in
                context.supervise(strategy)
                for name in ["a", "b"] {
                    refs.note(
                        try context.spawn(name, options: .permanent) {
                            Puppet(starting: { _ in journal.note("+\(name)") })
                        }
                    )
                }
            })
        }
        refs.entries[1].act { _ in throw Planned() }
        world.settle()
        let expected =
            switch strategy {
            case .oneForAll: ["+a", "+b", "+a", "+b"]
            case .oneForOne, .restForOne: ["+a", "+b", "+b"]
            }
        #expect(journal.entries == expected)
        await world.shutdown()
    }
}
