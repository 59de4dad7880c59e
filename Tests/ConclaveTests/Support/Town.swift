import Conclave
import Dispatch
import Testing

/// A system with some of everything in it, and threads of their own that shake it.
final class Town: Sendable {
    let system: ActorSystem
    let payloads = Counter()
    /// Citizens that have not been destroyed, children among them.
    let residents = Counter()
    /// Who did not answer within the longest time.
    let forgotten = Journal<String>()
    let tasks = OpenTasks()
    let news = Topic<Int>()
    let club = Group<Citizen.Message>()
    let market = Channel<Int>(capacity: 4)
    let sold = Counter()
    let bought = Counter()
    let ledger: Agent<Int>
    let entries = Counter()
    let smiths: WorkerPool<Int, Int>
    private let citizens: Guarded<[ActorRef<Citizen.Message>]>

    init(workers: Int = 4) throws {
        system = ActorSystem(
            "town",
            workers: workers,
            restartIntensity: RestartIntensity(.max, per: .nanoseconds(1)),
            watchdog: .milliseconds(2)
        )
        ledger = try Agent(0, in: system, name: "ledger")
        smiths = try WorkerPool(
            workers: 3,
            in: system,
            options: PoolOptions(queueLimit: 8, retries: 1, intensity: RestartIntensity(.max, per: .nanoseconds(1)))
        ) { job in if job % 10 == 0 { throw Planned() } else { job } }
        citizens = Guarded([])
        while citizens.withLock({ $0.count }) < 12 { replace(citizens.withLock { $0.count }, 0) }
    }

    func citizen(_ place: Int) -> ActorRef<Citizen.Message> { citizens.withLock { $0[place % $0.count] } }

    /// More would only make everybody late: on a busy machine threads from outside may get far more time than workers do.
    var isCrowded: Bool { residents.value > 400 }

    /// Puts a new one in that place and stops the old one.
    func replace(_ place: Int, _ kind: Int) {
        if isCrowded { return }
        let overflows: [Mailbox.Overflow] = [.rejectNewest, .dropOldest, .dropNewest, .suspendSender, .fail]
        let options = SpawnOptions(
            restart: [.permanent, .transient, .temporary][kind % 3],
            shutdown: .timeout(.milliseconds(1)),
            backoff: kind % 5 == 0 ? RestartBackoff(.microseconds(50), upTo: .milliseconds(1)) : nil,
            runsOn: kind % 11 == 0 ? .ownThread : .workers,
            mailbox: kind % 2 == 0 ? .unbounded : .bounded(1 + kind, overflow: overflows[kind % overflows.count])
        )
        let town = Unowned(self)
        guard let made = try? system.spawn(options: options, { Citizen(town) }) else { return }
        let old: ActorRef<Citizen.Message>? = citizens.withLock { citizens in
            if place >= citizens.count {
                citizens.append(made)
                return nil
            }
            defer { citizens[place] = made }
            return citizens[place]
        }
        if let old { system.stop(old) }
    }

    /// Eight threads do what comes to their minds until `end`. Then an actor is restarted, lest none was, and everybody goes home.
    func live(until end: ContinuousClock.Instant, _ random: inout TestRandom) async {
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                let random = TestRandom(seed: random.next())
                group.addTask {
                    await onOwnThread {
                        var visitor = Visitor(town: self, random: random)
                        while ContinuousClock.now < end { visitor.act() }
                    }
                }
            }
        }
        await seeRestart()
        market.close()
        #expect(await tasks.settled())
        while market.tryReceive() != nil { bought.up() }
        #expect(await ledger.settled())
        #expect(ledger.snapshot == entries.value)
        citizens.withLock { $0 = [] }
        await system.shutdown()
    }

    private func seeRestart() async {
        let town = Unowned(self)
        let phoenix = try? system.spawn(options: .permanent) { Citizen(town) }
        phoenix?.send(.fail(Payload(payloads)))
        let answer = try? await phoenix?.ask(timeout: patience) { .reply($0, Payload(self.payloads)) }
        #expect(answer == 1)
    }

    /// What must be true when nothing is left.
    func expectNothingLeft() async {
        // Tasks have what they hold until they get a thread for their end.
        let end = ContinuousClock.now + .seconds(20)
        while payloads.value > 0, ContinuousClock.now < end { await Task.yield() }
        #expect(sold.value == bought.value)
        #expect(payloads.value == 0)
        #expect(residents.value == 0)
        #expect(forgotten.entries == [])
        #expect(club.count == 0)
        #expect(news.subscriberCount == 0)
        #expect(system.registry.names == [])
        #expect(system.liveTimerCount == 0)
        #expect(system.openInquiryCount == 0)
        #expect(system.threadCount == 0)
        #expect(system.awakeCount == 0)
    }
}

/// Who has not been answered after this long was forgotten, on the busiest machine.
private let patience = Duration.seconds(60)

/// A citizen refers to the town as long as the town lives anyway.
struct Unowned: Sendable {
    unowned let town: Town
    init(_ town: Town) { self.town = town }
}

struct Citizen: Behavior {
    enum Message: Sendable {
        case hear(Payload)
        case fail(Payload)
        case quit(Payload)
        case reply(Reply<Int>, Payload)
        case keep(Reply<Int>, Payload)
        case ask(ActorRef<Message>)
        case watch(ActorRef<Message>)
        case forget
        case link(ActorRef<Message>)
        case unlink(ActorRef<Message>)
        case trapExits
        case register(String)
        case join
        case leave
        case subscribe
        case child(Payload)
        case forge(Int)
        case block(Payload)
        case dawdle
        case spawnAgent(Payload)
        case tick
        case news(Int)
        case told
    }
    private let home: Unowned
    private let life: Payload
    private var town: Town { home.town }
    private var kept: [Reply<Int>] = []
    private var monitor: Monitor?

    init(_ home: Unowned) {
        self.home = home
        life = Payload(home.town.residents)
    }

    mutating func started(_ context: borrowing Context<Message>) throws {
        context.every(.microseconds(500)) { .tick }
        context.receiveTimeout(after: .milliseconds(1)) { .tick }
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
        switch consume message {
        case .hear, .tick, .news, .told: break
        case .fail: throw Planned()
        case .quit: context.stop()
        case .reply(let reply, _): reply(1)
        case .keep(let reply, _): kept.append(reply)
        case .ask(let other):
            let payload = Payload(town.payloads)
            context.ask(other, timeout: .milliseconds(1), { .reply($0, payload) }, { _ in .told })
        case .watch(let other): monitor = context.monitor(other) { _ in .told }
        case .forget: if let monitor { context.demonitor(monitor) }
        case .link(let other): context.link(other)
        case .unlink(let other): context.unlink(other)
        case .trapExits: context.trapExits { _ in .told }
        case .register(let name): try? context.register(name)
        case .join: town.club.join(context.myself)
        case .leave: town.club.leave(context.myself)
        case .subscribe: town.news.subscribe(context.myself) { .news($0) }
        case .child(let payload):
            if town.isCrowded { return }
            let home = home
            let child = try? context.spawn(options: .transient) { Citizen(home) }
            child?.send(.hear(payload))
        case .forge(let job): context.submit(job, to: town.smiths, timeout: .milliseconds(2)) { _ in .told }
        case .block: try context.blocking { DispatchQueue(label: "hop").sync {} }
        case .dawdle:
            let end = ContinuousClock.now + .microseconds(Int.random(in: 0..<2500))
            while ContinuousClock.now < end {}
        case .spawnAgent(let payload):
            let agent = try context.spawnAgent([payload])
            agent.send { _ in throw Planned() }
            agent.send { $0 = [] }
        }
    }
}

/// One thread from outside.
private struct Visitor {
    let town: Town
    var random: TestRandom

    mutating func act() {
        let place = Int.random(in: 0..<12, using: &random)
        let kind = Int.random(in: 0..<60, using: &random)
        let citizen = town.citizen(place)
        let other = town.citizen(place + 1 + kind)
        let payload = Payload(town.payloads)
        switch Int.random(in: 0..<200, using: &random) {
        case 0..<60: citizen.send(.hear(payload))
        case 60..<64: citizen.send(.fail(payload))
        case 64..<66: citizen.send(.quit(payload))
        case 66: citizen.stop()
        case 67: citizen.kill()
        case 68..<74: town.replace(place, kind)
        case 74..<80: citizen.send(.watch(other))
        case 80..<83: citizen.send(.forget)
        case 83..<88: citizen.send(.link(other))
        case 88..<92: citizen.send(.unlink(other))
        case 92..<95: citizen.send(.trapExits)
        case 95..<100: citizen.send(.register("name-\(kind)"))
        case 100..<103:
            if let found = town.system.registry.lookup("name-\(kind)", of: Citizen.Message.self) {
                found.send(.hear(payload))
            }
        case 103: town.system.registry.unregister("name-\(kind)")
        case 104..<108: citizen.send(.join)
        case 108..<110: citizen.send(.leave)
        case 110..<112: town.club.broadcast(.hear(payload))
        case 112..<116: citizen.send(.subscribe)
        case 116: town.news.unsubscribe(citizen)
        case 117..<120: town.news.publish(kind)
        case 120..<124: citizen.send(.child(payload))
        case 124..<128: citizen.send(.forge(kind))
        case 128..<130: citizen.send(.block(payload))
        case 130: citizen.send(.dawdle)
        case 131..<134: citizen.send(.spawnAgent(payload))
        case 134..<140: citizen.send(.ask(other))
        case 140..<150: ask(citizen, payload, keeps: kind % 4 == 0)
        case 150..<160: useMarket(kind)
        case 160..<166: useLedger(kind)
        case 166..<170: forge(kind)
        case 170..<172: watch(citizen)
        case 172..<174: sendWhenRoom(citizen, payload)
        case 174..<176: look()
        default: _ = citizen.offer(.hear(payload))
        }
    }

    private mutating func ask(_ citizen: ActorRef<Citizen.Message>, _ payload: Payload, keeps: Bool) {
        let timeout = [.zero, .microseconds(50), .milliseconds(2), patience][Int.random(in: 0..<4, using: &random)]
        let town = town
        town.tasks.run(cancelled: Int.random(in: 0..<4, using: &random) == 0) {
            do {
                _ = try await citizen.ask(timeout: keeps ? .milliseconds(2) : timeout) { reply in
                    keeps ? .keep(reply, payload) : .reply(reply, payload)
                }
            } catch AskError.timeout where !keeps && timeout == patience {
                // It was neither received nor dropped.
                town.forgotten.note(citizen.path)
            } catch {}
        }
    }

    /// Who waits when the market closes goes home without.
    private func useMarket(_ kind: Int) {
        let town = town
        switch kind % 4 {
        case 0: if town.market.trySend(kind) { town.sold.up() }
        case 1: if town.market.tryReceive() != nil { town.bought.up() }
        case 2:
            town.tasks.run(cancelled: kind % 3 == 0) {
                if (try? await town.market.send(kind)) != nil { town.sold.up() }
            }
        default:
            town.tasks.run(cancelled: kind % 3 == 0) {
                if (try? await town.market.receive()) != nil { town.bought.up() }
            }
        }
    }

    private func useLedger(_ kind: Int) {
        let town = town
        town.entries.up()
        switch kind % 3 {
        case 0: town.ledger.send { $0 += 1 }
        case 1: town.ledger.send { (sum: inout Int) throws -> Void in sum += 1 }
        default: town.ledger.sendBlocking { $0 += 1 }
        }
    }

    private func forge(_ kind: Int) {
        let smiths = town.smiths
        town.tasks.run(cancelled: kind % 5 == 0) { _ = try? await smiths.submit(kind, timeout: .milliseconds(2)) }
    }

    private func watch(_ citizen: ActorRef<Citizen.Message>) {
        let town = town
        // Citizens that live on are stopped for this.
        town.tasks.run {
            town.system.stop(citizen)
            _ = await citizen.terminated()
        }
    }

    private func sendWhenRoom(_ citizen: ActorRef<Citizen.Message>, _ payload: Payload) {
        town.tasks.run { try? await citizen.sendWhenRoom(.hear(payload)) }
    }

    private func look() {
        let system = town.system
        town.tasks.run { _ = await system.snapshot(patience: .milliseconds(2)) }
    }
}
