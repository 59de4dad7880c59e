// The examples of the DocC catalogue, compiled here and run by DocumentationTests. A line of an article that is not
// here, in its order, fails the tests.

import Conclave
import Dispatch
import Foundation
import Testing

enum Door { case open, close }

func closedDoor(_ message: consuming Door, _ context: borrowing Context<Door>) -> Becoming<Door>.Next {
    switch consume message {
    case .open: .become(openDoor)
    case .close: .same
    }
}

func openDoor(_ message: consuming Door, _ context: borrowing Context<Door>) -> Becoming<Door>.Next {
    switch consume message {
    case .open: .same
    case .close: .become(closedDoor)
    }
}

enum GettingStarted {
    struct Account: Behavior {
        enum Message { case deposit(Int), balance(Reply<Int>) }
        var total = 0

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
            switch consume message {
            case .deposit(let amount): total += amount
            case .balance(let reply): reply(total)
            }
        }
    }

    static func bank() async throws {
        let system = ActorSystem("bank")
        let account = try system.spawn("alice") { Account() }
        account.send(.deposit(10))
        let total = try await account.ask(timeout: .seconds(1)) { .balance($0) }
        print(total)  // 10
        #expect(total == 10)
        let reports = Journal<String>()
        try system.spawn { Auditor(account: account) { reports.note($0) } }.send(.audit)
        #expect(await reports.first(1) == ["/alice has 10"])
        await system.shutdown()
    }

    struct Auditor: Behavior {
        enum Message { case audit, found(Result<Int, any Error>) }
        let account: ActorRef<Account.Message>
        let report: @Sendable (String) -> Void

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .audit:
                context.ask(account, { .balance($0) }) { .found($0) }
            case .found(.success(let total)): report("\(account) has \(total)")
            case .found(.failure(let error)): report("\(account) does not answer: \(error)")
            }
        }
    }

    struct Branch: Behavior {
        enum Message { case open(String, Reply<ActorRef<Account.Message>>) }

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
            switch consume message {
            case .open(let owner, let reply):
                reply(try context.spawn(owner, options: .transient) { Account() })
            }
        }
    }

    static func branch() async throws {
        let system = ActorSystem("branch")
        let branch = try system.spawn("branch") { Branch() }
        let account = try await branch.ask { .open("bob", $0) }
        #expect(account.path == "/branch/bob")
        await system.shutdown()
    }

    struct Heartbeat: Behavior {
        enum Message { case beat, quiet }
        let note: @Sendable (String) -> Void

        mutating func started(_ context: borrowing Context<Message>) {
            context.every(.milliseconds(5)) { .beat }
            context.receiveTimeout(after: .seconds(30)) { .quiet }
        }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .beat: note("still here")
            case .quiet: context.stop()
            }
        }
    }

    static func heartbeat() async throws {
        let system = ActorSystem("heart")
        let beats = Journal<String>()
        try system.spawn { Heartbeat { beats.note($0) } }
        #expect(await beats.first(2).count == 2)
        let door = try system.spawn("door") { Becoming(closedDoor) }
        for message in [Door.open, .open, .close] { door.send(message) }
        await system.shutdown()
    }
}

enum DeliveryAndOrder {
    struct Worker: Behavior {
        enum Message { case job(Int) }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {}
    }

    static func run() async throws {
        let system = ActorSystem("delivery")
        system.onEvent { event in
            guard case .deadLetter(let letter) = event else { return }
            print("\(letter.recipient): \(letter.messageType), \(letter.reason)")
        }
        let bounded = SpawnOptions(mailbox: .bounded(100, overflow: .rejectNewest))
        let worker = try system.spawn("worker", options: bounded) { Worker() }
        if let refused = worker.offer(.job(7)) { print("busy: \(refused)") }
        await system.shutdown()
    }
}

enum SupervisionArticle {
    typealias Account = GettingStarted.Account

    struct Room: Behavior {
        let topic: String
        mutating func receive(_ message: consuming Reply<String>, _ context: borrowing Context<Reply<String>>) {
            message(topic)
        }
    }

    struct Watcher: Behavior {
        enum Message { case watch(ActorRef<Account.Message>), ended(String, ExitReason) }
        let report: @Sendable (String) -> Void

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .watch(let account):
                let path = account.path
                context.monitor(account) { .ended(path, $0) }
            case .ended(let path, let reason): report("\(path) ended: \(reason)")
            }
        }
    }

    struct Session: Behavior {
        enum Message { case exit(Exit) }
        let socket: ActorRef<Account.Message>

        mutating func started(_ context: borrowing Context<Message>) {
            context.trapExits { .exit($0) }
            context.link(socket)
        }
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            if case .exit(let exit) = message, exit.isFrom(socket) { context.stop() }
        }
    }

    static func run() async throws {
        let system = ActorSystem("supervision")
        let database = try system.spawn("database", options: .permanent) {
            Supervisor(strategy: .restForOne, intensity: RestartIntensity(3, per: .seconds(5))) { context in
                try context.spawn("log", options: .permanent) { Account() }
                try context.spawn("cache", options: .permanent) { Account() }
            }
        }
        #expect(database.path == "/database")
        let rooms = try system.spawn("rooms") { DynamicSupervisor(options: .transient) { Room(topic: $0) } }
        let room = try await rooms.start("swift")
        #expect(try await room.ask { $0 } == "swift")
        let patient = SpawnOptions(restart: .permanent, backoff: RestartBackoff(.milliseconds(100), upTo: .seconds(10)))
        let link = try system.spawn("link", options: patient) { Account() }
        #expect(try await link.ask { .balance($0) } == 0)
        let reports = Journal<String>()
        let watched = try system.spawn("watched") { Account() }
        try system.spawn { Watcher { reports.note($0) } }.send(.watch(watched))
        let session = try system.spawn { Session(socket: watched) }
        watched.kill()
        _ = await session.terminated()
        // Killed, or dead already when the monitor was set up.
        #expect(await reports.first(1).first?.hasPrefix("/watched ended: ") == true)
        await system.shutdown()
    }
}

enum AgentsArticle {
    struct OpenCounter: OpenBehavior {
        var count = 0
        mutating func receive(_ message: consuming Reply<Int>, _ context: borrowing Context<Reply<Int>>) {
            message(count)
        }
    }

    static func run() async throws {
        let system = ActorSystem("agents")
        let hits = Agent(0, in: system)
        hits.send { $0 += 1 }
        let now = hits.snapshot
        #expect(now == 0 || now == 1)
        await hits.settled()
        print(hits.snapshot)  // 1
        #expect(hits.snapshot == 1)
        let careful = Agent([String](), in: system, onError: .continue { error, log in log.append("\(error)") })
        careful.send { _ in throw Planned() }
        #expect(try await careful.get() == ["Planned()"])
        let counter = try system.spawn { OpenCounter() }
        counter.run { (counter: inout OpenCounter, context) in counter.count = 7 }
        #expect(try await counter.ask { $0 } == 7)
        await system.shutdown()
    }
}

enum BlockingArticle {
    typealias Account = GettingStarted.Account

    struct Files: Behavior {
        enum Message { case read(String, Reply<String?>) }

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
            switch consume message {
            case .read(let path, let reply):
                reply(try context.blocking { try? String(contentsOfFile: path, encoding: .utf8) })
            }
        }
    }

    static func run() async throws {
        let system = ActorSystem("blocking", watchdog: .milliseconds(50))
        system.onEvent { event in
            if case .workerBlocked(let worker) = event { print("\(worker.actor ?? "a task") blocks a worker") }
        }
        let files = try system.spawn("files") { Files() }
        #expect(try await files.ask { .read("/no/such/file", $0) } == nil)
        let account = try system.spawn { Account() }
        account.send(.deposit(3))
        let teller = try system.spawn { Teller() }
        #expect(try await teller.ask { .total([account, account], $0) } == 6)
        await system.shutdown()
    }

    struct Teller: AsyncBehavior {
        enum Message { case total([ActorRef<Account.Message>], Reply<Int>) }

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) async throws {
            switch consume message {
            case .total(let accounts, let reply):
                var sum = 0
                for account in accounts { sum += try await account.ask { .balance($0) } }
                reply(sum)
            }
        }
    }
}

enum NamesGroupsPools {
    typealias Account = GettingStarted.Account

    static func run() async throws {
        let system = ActorSystem("names")
        let account = try system.spawn { Account() }
        try system.registry.register("treasury", account)
        let treasury = system.registry.lookup("treasury", of: Account.Message.self)
        #expect(treasury == account)
        let branches = system.registry.group("branches", of: Account.Message.self)
        branches.join(account)
        branches.broadcast(.deposit(5))
        let prices = Topic<Int>()
        prices.subscribe(account) { .deposit($0) }
        prices.publish(3)
        #expect(try await account.ask { .balance($0) } == 8)
        let squares = try WorkerPool(workers: 4, in: system) { (number: Int) in number * number }
        let square = try await squares.submit(12)
        #expect(square == 144)
        let channel = Channel<Int>(capacity: 8)
        try await channel.send(1)
        channel.close()
        for await value in channel { print(value) }
        await system.shutdown()
    }
}

enum ObservabilityArticle {
    typealias Account = GettingStarted.Account

    /// Stands for a logging framework.
    struct Log: Sendable {
        let lines = Journal<String>()
        func critical(_ line: String) { lines.note(line) }
        func error(_ line: String) { lines.note(line) }
        func debug(_ line: String) { lines.note(line) }
    }

    struct Waits: Instrument {
        let record: @Sendable (_ actor: String, _ wait: UInt64) -> Void
        func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64 {
            DispatchTime.now().uptimeNanoseconds
        }
        func handlerBegins(in actor: ActorInfo, mark: UInt64?) {
            if let mark { record(actor.path, DispatchTime.now().uptimeNanoseconds - mark) }
        }
    }

    static func run() async throws {
        let log = Log()
        try await watch(ActorSystem("watched"), log)
        #expect(log.lines.entries.contains { $0.hasPrefix("/clumsy failed") })
        try await measure()
    }

    private static func watch(_ system: ActorSystem, _ log: Log) async throws {
        print(await system.snapshot())
        let crowded = await system.snapshot().actors.filter { ($0.mailboxDepth ?? 0) > 1000 }
        #expect(crowded.isEmpty)
        let counts = system.counts
        print(counts.failures, counts.restarts, counts.deadLetters, counts.overflows, counts.lateReplies)
        let task = Task {
            for await event in system.events.events() {
                if case .actorRestarted(let path, let restarts) = event { print("\(path): restart \(restarts)") }
            }
        }
        system.onEvent { event in
            switch event {
            case .actorFailed(let path, let error): log.error("\(path) failed: \(error)")
            case .restartIntensityExceeded(let path, let child): log.critical("\(path) gave up over \(child)")
            default: log.debug("\(event)")
            }
        }
        let clumsy = try system.spawn("clumsy", options: .transient) { Puppet() }
        clumsy.act { _ in throw Planned() }
        try await clumsy.settle()
        task.cancel()
        await system.shutdown()
        await task.value
    }

    private static func measure() async throws {
        let system = ActorSystem("measured", instrument: Waits { actor, wait in print("\(actor) waited \(wait) ns") })
        #expect(try await system.spawn { Account() }.ask { .balance($0) } == 0)
        await system.shutdown()
    }
}

enum SurvivingTraps {
    struct Parser: Behavior {
        enum Message: Sendable { case parse([UInt8]), count(Reply<Int>) }
        var count = 0
        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .parse(let bytes): count += Int(bytes[0])
            case .count(let reply): reply(count)
            }
        }
    }

    /// In a process of its own: it loses a thread.
    static func run() async throws {
        let system = ActorSystem("risky", trapIsolation: .upTo(32))
        let parser = try system.spawn("parser", options: .permanent) { Parser() }
        parser.send(.parse([]))  // traps: the parser is restarted, everybody else goes on
        #expect(try await parser.ask { .count($0) } == 0)
        await system.shutdown()
    }
}

enum TestingYourActors {
    typealias Account = GettingStarted.Account

    static func run() async throws {
        let system = ActorSystem("testing")
        let account = try system.spawn { Account() }
        account.send(.deposit(10))
        #expect(try await account.ask { .balance($0) } == 10)
        account.stop()
        _ = await account.terminated()
        await system.shutdown()
        #expect(system.deadLetterCount == 0)
    }
}

enum FromSwiftActors {
    typealias Account = GettingStarted.Account

    actor Ledger {
        let account: ActorRef<Account.Message>
        var seen = 0
        init(_ account: ActorRef<Account.Message>) { self.account = account }
        func look() async throws {
            seen = try await account.ask { .balance($0) }
        }
        func waitForTheEnd() async -> ExitReason { await account.terminated() }
    }

    struct Clerk: Behavior {
        enum Message { case look, seen(Int) }
        let ledger: Ledger
        let report: @Sendable (Int) -> Void

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .look:
                let (ledger, myself) = (ledger, context.myself)
                Task {
                    try? await ledger.look()
                    myself.send(.seen(await ledger.seen))
                }
            case .seen(let total): report(total)
            }
        }
    }

    static func run() async throws {
        let system = ActorSystem("native")
        let account = try system.spawn { Account() }
        let ledger = Ledger(account)
        try await ledger.look()
        let totals = Journal<Int>()
        account.send(.deposit(3))
        try system.spawn { Clerk(ledger: ledger) { totals.note($0) } }.send(.look)
        #expect(await totals.first(1) == [3])
        try await withTaskExecutorPreference(system.taskExecutor) {
            _ = try await account.ask { .balance($0) }
        }
        account.stop()
        _ = await ledger.waitForTheEnd()
        await system.shutdown()
    }
}
