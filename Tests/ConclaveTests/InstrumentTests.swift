import Conclave
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct InstrumentTests {
    /// Notes all that it is told; a message's mark is its number.
    private struct Recorder: Instrument {
        let journal = Journal<String>()
        let sent = Journal<Int>()

        func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64 {
            sent.note(1)
            let mark = sent.entries.count
            journal.note("\(sender?.path ?? "outside") sends \(mark) to \(actor.path)")
            return UInt64(mark)
        }
        func handlerBegins(in actor: ActorInfo, mark: UInt64?) {
            journal.note("\(actor.path) begins \(mark.map { "\($0)" } ?? "a signal")")
        }
        func handlerEnded(in actor: ActorInfo, error: (any Error)?) {
            journal.note("\(actor.path) ends\(error.map { " with \($0)" } ?? "")")
        }
        func actorStarted(_ actor: ActorInfo, incarnation: Int) { journal.note("\(actor.path) starts \(incarnation)") }
        func actorEnded(_ actor: ActorInfo, reason: ExitReason) { journal.note("\(actor.path) ended: \(reason)") }
    }

    @Test(
        "an instrument is told of each message, from its sending to the end of its handler",
        arguments: [true, false]
    )
    func follows(bounded: Bool) async throws {
        let recorder = Recorder()
        let world = SteppedWorld(instrument: recorder)
        let options = SpawnOptions(
            restart: .transient,
            mailbox: bounded ? .bounded(10, overflow: .rejectNewest) : .unbounded
        )
        let b = try world.system.spawn("b", options: options) { Puppet() }
        let a = try world.system.spawn("a") { Puppet() }
        a.act { _ in b.send(.note("x")) }
        world.settle()
        b.act { $0.after(.seconds(1), send: .note("timer")) }
        world.settle()
        world.advance(by: .seconds(1))
        b.act { _ in throw Planned() }
        world.settle()
        b.stop()
        world.settle()
        #expect(
            recorder.journal.entries == [
                "/ starts 1", "/b starts 1", "/a starts 1",
                "outside sends 1 to /a", "/a begins 1", "/a sends 2 to /b", "/a ends", "/b begins 2", "/b ends",
                "outside sends 3 to /b", "/b begins 3", "/b ends", "/b begins a signal", "/b ends",
                "outside sends 4 to /b", "/b begins 4", "/b ends with Planned()", "/b starts 2", "/b ended: shutdown",
            ]
        )
        await world.shutdown()
    }

    private struct Open: OpenBehavior {
        typealias Message = Int
        mutating func receive(_ message: consuming Int, _ context: borrowing Context<Int>) {}
    }

    @Test("an instrument is told of code that runs on an open behaviour, as of a signal")
    func code() async throws {
        let recorder = Recorder()
        let world = SteppedWorld(instrument: recorder)
        let open = try world.system.spawn("open") { Open() }
        open.run { (_: inout Open, _) in recorder.journal.note("code") }
        open.run { (_: inout Open, _) in throw Planned() }
        world.settle()
        #expect(
            recorder.journal.entries.dropFirst(2) == [
                "/open begins a signal", "code", "/open ends", "/open begins a signal", "/open ends with Planned()",
                "/open ended: failed(Planned())",
            ]
        )
        await world.shutdown()
    }

    @Test("the mark travels with messages of every size, and with those that were offered or waited for room")
    func sizes() async throws {
        struct Sized<Payload: Sendable>: Behavior {
            struct Message: Sendable { var payload: Payload }
            mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {}
        }
        func check<Payload: Sendable>(_ payload: Payload, _ mailbox: Mailbox) async throws {
            let recorder = Recorder()
            let world = SteppedWorld(instrument: recorder)
            let actor = try world.system.spawn("a", options: SpawnOptions(mailbox: mailbox)) { Sized<Payload>() }
            actor.send(.init(payload: payload))
            #expect(actor.offer(.init(payload: payload)) == nil)
            try await actor.sendWhenRoom(.init(payload: payload))
            world.settle()
            #expect(recorder.journal.entries.filter { $0.contains("begins") } == (1...3).map { "/a begins \($0)" })
            await world.shutdown()
        }
        for mailbox in [Mailbox.unbounded, .bounded(3, overflow: .suspendSender)] {
            try await check((), mailbox)
            try await check(UInt8(1), mailbox)
            try await check((UInt64(1), UInt64(2), UInt8(3)), mailbox)
            try await check("text", mailbox)
            try await check(InlineWords(1), mailbox)
        }
    }

    @Test("a message put aside keeps its way through the mailbox loop of an instrumented system")
    func stash() async throws {
        struct Late: Behavior {
            enum Message: Sendable { case first, second }
            let journal: Journal<String>
            var isReady = false
            mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
                switch consume message {
                case .first where !isReady: try context.stash(.first)
                case .first: journal.note("first")
                case .second:
                    isReady = true
                    context.unstash()
                }
            }
        }
        let recorder = Recorder()
        let world = SteppedWorld(instrument: recorder)
        let journal = Journal<String>()
        let actor = try world.system.spawn("a") { Late(journal: journal) }
        actor.send(.first)
        actor.send(.second)
        world.settle()
        #expect(journal.entries == ["first"])
        #expect(recorder.journal.entries.filter { $0.contains("begins") }.last == "/a begins a signal")
        await world.shutdown()
    }
}
