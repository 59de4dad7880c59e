import Conclave
import Testing

@Suite(.timeLimit(.minutes(1))) struct ChannelTests {
    @Test("every value is received once, and those of one sender in the order sent")
    func manyToMany() async throws {
        let channel = Channel<(sender: Int, number: Int)>(capacity: 7)
        let received = try await withThrowingTaskGroup(of: [(sender: Int, number: Int)].self) { group in
            for _ in 0..<4 {
                group.addTask {
                    var mine: [(sender: Int, number: Int)] = []
                    for await value in channel { mine.append(value) }
                    return mine
                }
            }
            try await withThrowingTaskGroup(of: Void.self) { senders in
                for sender in 0..<5 {
                    senders.addTask { for number in 0..<2000 { try await channel.send((sender, number)) } }
                }
                try await senders.waitForAll()
            }
            channel.close()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        for sender in 0..<5 {
            #expect(received.joined().filter { $0.sender == sender }.map(\.number).sorted() == Array(0..<2000))
            for mine in received {
                let numbers = mine.filter { $0.sender == sender }.map(\.number)
                #expect(numbers == numbers.sorted())
            }
        }
        #expect(channel.count == 0)
    }

    @Test("a full channel makes its senders wait until there is room")
    func backpressure() async throws {
        let channel = Channel<Int>(capacity: 1)
        #expect(channel.trySend(1))
        #expect(!channel.trySend(2))
        let journal = Journal<String>()
        let sender = Task {
            try await channel.send(3)
            journal.note("sent")
        }
        // With the sender waiting or not: the first value is the first, and 3 follows.
        #expect(try await channel.receive() == 1)
        #expect(await journal.first(1) == ["sent"])
        #expect(try await channel.receive() == 3)
        #expect(channel.tryReceive() == nil)
        try await sender.value
    }

    @Test("a closed channel fails its senders, and its receivers end after what was sent")
    func close() async throws {
        let channel = Channel<Int>(capacity: 1)
        try await channel.send(1)
        let waiting = Task { try await channel.send(2) }
        let other = Channel<Int>(capacity: 1)
        let receiver = Task { try await other.receive() }
        channel.close()
        other.close()
        await #expect(throws: ChannelError.closed) { try await waiting.value }
        #expect(try await receiver.value == nil)
        await #expect(throws: ChannelError.closed) { try await channel.send(3) }
        #expect(!channel.trySend(3))
        #expect(channel.isClosed)
        #expect(try await channel.receive() == 1)
        #expect(try await channel.receive() == nil)
    }

    @Test("a receiver that is cancelled, before it waits or while it does, takes no value with it")
    func cancelReceivers() async throws {
        let channel = Channel<Int>(capacity: 4)
        for round in 0..<2000 {
            let receiver = Task { try await channel.receive() }
            if round % 2 == 0 { await Task.yield() }
            async let sent: Void = channel.send(round)
            receiver.cancel()
            try await sent
            switch await receiver.result {
            case .success(let value): #expect(value == round)
            case .failure(let error):
                #expect(error is CancellationError)
                #expect(try await channel.receive() == round)
            }
        }
        #expect(channel.count == 0)
    }

    @Test("a sender that is cancelled has either sent or not, and knows which")
    func cancelSenders() async throws {
        let channel = Channel<Int>(capacity: 0)
        for round in 0..<2000 {
            let sender = Task { try await channel.send(round) }
            if round % 2 == 0 { await Task.yield() }
            async let received = channel.tryReceive()
            sender.cancel()
            let value = await received
            switch await sender.result {
            case .success: #expect(value == round)
            case .failure(let error):
                #expect(error is CancellationError)
                #expect(value == nil)
            }
        }
        #expect(channel.tryReceive() == nil)
    }

    @Test("values that nobody received go with the channel")
    func noLeak() async throws {
        final class Value: Sendable {}
        weak var stored: Value?
        weak var refused: Value?
        func run() async throws {
            let channel = Channel<Value>(capacity: 1)
            let value = Value()
            stored = value
            try await channel.send(value)
            let other = Value()
            refused = other
            let sender = Task { [other] in try await channel.send(other) }
            channel.close()
            _ = await sender.result
        }
        try await run()
        #expect(stored == nil)
        #expect(refused == nil)
    }
}
