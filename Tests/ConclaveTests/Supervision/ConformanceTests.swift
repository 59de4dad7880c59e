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

    @Test(
        "dynamic children: the child that ended is restarted from its argument as its restart type says, and no other",
        arguments: ExitKind.allCases,
        restarts
    )
    func dynamicChildren(_ exit: ExitKind, _ restart: RestartType) async throws {
        let system = ActorSystem("dynamic")
        let journal = Journal<String>()
        let supervisor = try system.spawn("supervisor") {
            DynamicSupervisor(options: SpawnOptions(restart: restart)) { (name: String) in
                Puppet(starting: { _ in journal.note("+\(name)") })
            }
        }
        var children: [ActorRef<Puppet.Message>] = []
        for name in ["a", "b", "c"] { children.append(try await supervisor.start(name)) }
        let isRestarted = restart == .permanent || (restart == .transient && exit.isAbnormal)
        exit.end(children[1])
        if isRestarted {
            #expect(await journal.first(4) == ["+a", "+b", "+c", "+b"])
            try await children[1].settle()
        } else {
            _ = await children[1].terminated()
        }
        for child in [children[0], children[2]] { #expect(try await child.ask { .count($0) } == 1) }
        await system.shutdown()
        #expect(journal.entries == ["+a", "+b", "+c"] + (isRestarted ? ["+b"] : []))
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
