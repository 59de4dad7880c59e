import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct DeliveryTests {
    @Test("each of eight senders' messages arrive in the order sent")
    func orderOfEachSender() async throws {
        struct Numbered: Behavior {
            enum Message {
                case number(sender: Int, Int)
                case results(Reply<(total: Int, outOfOrder: Int)>)
            }
            var expected = [Int](repeating: 0, count: 8)
            var outOfOrder = 0
            mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
                switch consume message {
                case .number(let sender, let number):
                    if number != expected[sender] { outOfOrder += 1 }
                    expected[sender] = number + 1
                case .results(let reply): reply((expected.reduce(0, +), outOfOrder))
                }
            }
        }
        let system = ActorSystem("order")
        let actor = try system.spawn { Numbered() }
        await withTaskGroup(of: Void.self) { group in
            for sender in 0..<8 {
                group.addTask { for number in 0..<5_000 { actor.send(.number(sender: sender, number)) } }
            }
        }
        let results = try await actor.ask { .results($0) }
        #expect(results.total == 40_000)
        #expect(results.outOfOrder == 0)
        await system.shutdown()
    }

    @Test("a message too large for the pools arrives whole")
    func largeMessage() async throws {
        struct Large: Behavior {
            typealias Message = (InlineWords, Reply<UInt64>)
            mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
                let (words, reply) = message
                reply(words.sum)
            }
        }
        let system = ActorSystem("large")
        let actor = try system.spawn { Large() }
        let words = InlineWords(7)
        #expect(MemoryLayout<InlineWords>.size > 256)
        let sum = try await actor.ask { (words, $0) }
        #expect(sum == 40 * 7)
        await system.shutdown()
    }

    @Test("a stop overtakes messages, which become dead letters")
    func stopOvertakes() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        actor.stop()
        world.settle()
        #expect(journal.entries == [])
        #expect(world.system.deadLetterCount == 3)
        await world.shutdown()
    }

    @Test("a kill overtakes messages, which become dead letters")
    func killOvertakes() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal, stopping: { _, _ in journal.note("stopping") }) }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        actor.kill()
        world.settle()
        #expect(journal.entries == [])
        #expect(world.system.deadLetterCount == 3)
        await world.shutdown()
    }

    @Test("a failure suspends its actor before the messages that wait: they are received after the restart, in order")
    func suspendOvertakes() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let options = SpawnOptions(
            restart: .permanent,
            backoff: RestartBackoff(.seconds(1), upTo: .seconds(1), jitter: 0)
        )
        let actor = try world.system.spawn(options: options) { Puppet(journal) }
        actor.act { _ in throw Planned() }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        world.settle()
        #expect(journal.entries == [])
        world.advance(by: .seconds(1))
        #expect(journal.entries == ["0", "1", "2"])
        #expect(world.system.deadLetterCount == 0)
        await world.shutdown()
    }

    @Test("a stop by the actor itself comes after the message it is handling and before the next")
    func ownStop() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal) }
        actor.act { context in
            context.stop()
            journal.note("still running")
        }
        actor.send(.note("too late"))
        world.settle()
        #expect(journal.entries == ["still running"])
        #expect(world.system.deadLetterCount == 1)
        await world.shutdown()
    }

    @Test("an actor that stops itself while it starts receives nothing and ends")
    func stopInStart() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn {
            Puppet(journal, starting: { $0.stop() }, stopping: { reason, _ in journal.note("\(reason)") })
        }
        world.settle()
        #expect(journal.entries == ["normal"])
        actor.send(.note("too late"))
        world.settle()
        #expect(journal.entries == ["normal"])
        #expect(world.system.deadLetterCount == 1)
        await world.shutdown()
    }

    // MARK: Batches

    @Test("the batch ends when the mailbox ran dry, once for all messages received")
    func batchEnd() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal, batchEnding: { _ in journal.note("flush") }) }
        for number in 0..<3 { actor.send(.note("\(number)")) }
        world.settle()
        #expect(journal.entries == ["0", "1", "2", "flush"])
        await world.shutdown()
    }

    @Test("a full batch ends although more messages wait")
    func fullBatch() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal, batchEnding: { _ in journal.note("flush") }) }
        for _ in 0..<1000 { actor.act { _ in } }
        world.scheduler.step()
        #expect(journal.entries == ["flush"])
        world.settle()
        #expect(journal.entries.count >= 4)
        await world.shutdown()
    }

    @Test("the batch ends also when a monitor request came between its messages")
    func batchEndAfterSystemMail() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let watcher = try world.system.spawn { Puppet() }
        let actor = try world.system.spawn { Puppet(journal, batchEnding: { _ in journal.note("flush") }) }
        actor.act { _ in
            journal.note("received")
            watcher.act { $0.monitor(actor) { _ in .note("down") } }
        }
        // The watcher's request arrives while the actor still holds the worker.
        actor.act { _ in world.scheduler.step() }
        world.settle()
        #expect(journal.entries == ["received", "flush"])
        await world.shutdown()
    }

    @Test("the batch ends also when its last handler dropped a question")
    func batchEndAfterDroppedAsk() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn { Puppet(journal, batchEnding: { _ in journal.note("flush") }) }
        let asker = try world.system.spawn { Puppet(journal) }
        asker.act { context in
            context.ask(actor, { .drop($0) }, { _ in .note("unanswered") })
        }
        world.settle()
        #expect(journal.entries.sorted() == ["flush", "unanswered"])
        await world.shutdown()
    }

    @Test("an actor that fails as its batch ends has failed")
    func failingBatchEnd() async throws {
        let world = SteppedWorld()
        let journal = Journal<String>()
        let actor = try world.system.spawn {
            Puppet(batchEnding: { _ in throw Planned() }, stopping: { reason, _ in journal.note("\(reason)") })
        }
        actor.act { _ in }
        world.settle()
        #expect(journal.entries == ["failed(Planned())"])
        await world.shutdown()
    }
}

/// 320 bytes without a reference.
struct InlineWords {
    private typealias Ten = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)
    private var words: (Ten, Ten, Ten, Ten)

    init(_ word: UInt64) {
        let ten = (word, word, word, word, word, word, word, word, word, word)
        words = (ten, ten, ten, ten)
    }

    var sum: UInt64 { withUnsafeBytes(of: words) { $0.bindMemory(to: UInt64.self).reduce(0, +) } }
}
