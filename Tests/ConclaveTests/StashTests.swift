import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct StashTests {
    /// Puts words aside until it is opened.
    private struct Gate: Behavior {
        enum Message: Sendable { case word(String), open, openTwice, fail, count(Reply<Int>) }
        let journal: Journal<String>
        var limit = 1000
        var isOpen = false

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
            switch consume message {
            case .word(let word):
                if isOpen { journal.note(word) } else { try context.stash(.word(word), limit: limit) }
            case .open:
                isOpen = true
                context.unstash()
            case .openTwice:
                isOpen = true
                context.unstash()
                context.unstash()
            case .fail: throw Planned()
            case .count(let reply): reply(context.stashCount)
            }
        }

        mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {
            journal.note("\(reason)")
        }
    }

    private func gate(
        _ options: SpawnOptions = SpawnOptions(),
        limit: Int = 1000
    ) throws -> (SteppedWorld, Journal<String>, ActorRef<Gate.Message>) {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn(options: options) { Gate(journal: journal, limit: limit) }
        return (world, journal, actor)
    }

    @Test("messages put aside are received in order, before what waits in the mailbox", arguments: [true, false])
    func order(bounded: Bool) async throws {
        let mailbox: Mailbox = bounded ? .bounded(100, overflow: .rejectNewest) : .unbounded
        let (world, journal, actor) = try gate(SpawnOptions(mailbox: mailbox))
        for word in ["1", "2", "3"] { actor.send(.word(word)) }
        actor.send(.open)
        for word in ["4", "5"] { actor.send(.word(word)) }
        world.settle()
        #expect(journal.entries == ["1", "2", "3", "4", "5"])
        actor.send(.open)  // nothing is aside
        actor.send(.word("6"))
        world.settle()
        #expect(journal.entries.last == "6")
        await world.shutdown()
    }

    @Test("messages put aside are received although no other message follows, and only once")
    func alone() async throws {
        let (world, journal, actor) = try gate()
        for word in ["1", "2"] { actor.send(.word(word)) }
        world.settle()
        actor.send(.openTwice)
        world.settle()
        #expect(journal.entries == ["1", "2"])
        #expect(world.system.deadLetterCount == 0)
        await world.shutdown()
    }

    @Test("the stash is bounded: one message more fails the actor, and is the only one lost")
    func bounded() async throws {
        let (world, journal, actor) = try gate(.permanent, limit: 2)
        for word in ["1", "2", "3"] { actor.send(.word(word)) }
        actor.send(.open)
        world.settle()
        #expect(journal.entries == ["failed(\(StashFull(limit: 2)))", "1", "2"])
        await world.shutdown()
    }

    @Test("what is put aside survives a restart, in order and before the mailbox")
    func restart() async throws {
        let (world, journal, actor) = try gate(.permanent)
        for word in ["1", "2"] { actor.send(.word(word)) }
        actor.send(.fail)
        actor.send(.word("3"))
        actor.send(.open)
        world.settle()
        #expect(journal.entries == ["failed(Planned())", "1", "2", "3"])
        await world.shutdown()
    }

    @Test("what is put aside when the actor ends becomes dead letters, and its askers are told")
    func end() async throws {
        let (world, journal, actor) = try gate()
        for word in ["1", "2"] { actor.send(.word(word)) }
        world.settle()
        actor.stop()
        actor.send(.word("3"))
        world.settle()
        #expect(journal.entries == ["shutdown"])
        #expect(world.system.deadLetterCount == 3)
        await world.shutdown()
    }
}

@Suite(.timeLimit(.minutes(1))) struct BecomingTests {
    private enum Door: Sendable { case open, close, ring(String), fail, remove }

    @Test("an actor may become another function with each message; a restart begins with the first")
    func becomes() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        @Sendable func closed(_ message: consuming Door, _ context: borrowing Context<Door>) throws
            -> Becoming<Door>.Next
        {
            switch consume message {
            case .open: return .become(opened(times: 1))
            case .ring(let who): journal.note("\(who) waits")
            case .fail: throw Planned()
            case .close, .remove: break
            }
            return .same
        }
        @Sendable func opened(times: Int) -> Becoming<Door>.Handler {
            { message, _ in
                switch consume message {
                case .open: return .become(opened(times: times + 1))
                case .close: return .become(closed)
                case .ring(let who): journal.note("\(who) enters a door opened \(times) times")
                case .fail: throw Planned()
                case .remove: return .stop
                }
                return .same
            }
        }
        let door = try world.system.spawn(options: .permanent) { Becoming(closed) }
        for message in [
            Door.ring("a"), .open, .open, .ring("b"), .fail, .ring("c"), .open, .ring("d"), .close, .ring("e"),
        ] {
            door.send(message)
        }
        world.settle()
        #expect(
            journal.entries == [
                "a waits", "b enters a door opened 2 times", "c waits", "d enters a door opened 1 times", "e waits",
            ]
        )
        door.send(.open)
        door.send(.remove)
        world.settle()
        await world.shutdown()
    }
}
