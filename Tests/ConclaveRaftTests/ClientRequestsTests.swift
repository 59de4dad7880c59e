import Testing

@testable import ConclaveRaft

@Suite struct ClientRequestsTests {
    private static let session = SessionID(rawValue: 7)

    /// A client with a session, that has asked for `count` commands.
    private static func client(_ count: Int, nodes: Int = 3, window: UInt64 = 256) -> (
        ClientRequests, [ClientRequests.Step]
    ) {
        var client = ClientRequests(nodeCount: nodes, window: window)
        var steps: [ClientRequests.Step] = []
        for number in 0..<count { steps += client.submit(UInt64(number), .command([UInt8(number)])) }
        steps += client.registered(.success(session))
        return (client, steps)
    }

    private static func attempt(_ id: ClientRequests.ID, _ number: Int = 1) -> ClientRequests.Try {
        ClientRequests.Try(request: id, number: number)
    }

    private static func label(_ sequence: UInt64, first: UInt64 = 1, of session: SessionID = session) -> SessionCommand
    {
        SessionCommand(session: session, sequence: sequence, firstUnanswered: first)
    }

    @Test("commands wait for one session, and go out in the order of their coming; queries wait for nothing")
    func registers() {
        var client = ClientRequests(nodeCount: 1)
        #expect(client.submit(1, .command([1])) == [.register(node: 0)])
        #expect(client.submit(2, .command([2])) == [])
        #expect(client.submit(3, .query) == [.read(Self.attempt(3), node: 0)])
        #expect(
            client.registered(.success(Self.session)) == [
                .propose(Self.attempt(1), Self.label(1), [1], node: 0),
                .propose(Self.attempt(2), Self.label(2), [2], node: 0),
            ]
        )
        #expect(client.succeeded(1) == [])
        #expect(client.submit(4, .command([4])) == [.propose(Self.attempt(4), Self.label(3, first: 2), [4], node: 0)])
    }

    @Test("a command that may have been carried out is tried again under its label, on another node")
    func retriesUnknown() {
        var (client, _) = Self.client(1)
        #expect(client.failed(Self.attempt(0), .timeout) == [.pause(milliseconds: 20)])
        #expect(client.pauseOver() == [.propose(Self.attempt(0, 2), Self.label(1), [0], node: 1)])
        #expect(client.failed(Self.attempt(0, 1), .noLeader) == [], "the first try is not heard any more")
        #expect(client.tryTimedOut(0) == [.pause(milliseconds: 40)])
        #expect(client.tryTimedOut(0) == [], "none is under way")
        #expect(client.giveUp(0) == [.fail(0, .unknown)])
        #expect(client.count == 0)
    }

    @Test("a command that was never under way when its time is over has definitely not been carried out")
    func notDone() {
        var (client, _) = Self.client(1)
        #expect(client.failed(Self.attempt(0), .noLeader) == [.pause(milliseconds: 20)])
        #expect(client.giveUp(0) == [.fail(0, .notDone(.noLeader))])
        var (other, _) = Self.client(1)
        _ = other.failed(Self.attempt(0), .overloaded)
        #expect(other.giveUp(0, isCancelled: true) == [.fail(0, .notDone(.cancelled))])
        var (third, _) = Self.client(1)
        #expect(third.giveUp(0) == [.fail(0, .unknown)], "a try is under way: nobody can tell")
    }

    @Test("a command of a session that is over gets another label only if it has certainly not been carried out")
    func sessionOver() {
        var (client, _) = Self.client(2)
        _ = client.failed(Self.attempt(1), .timeout)
        _ = client.pauseOver()
        #expect(client.failed(Self.attempt(0), .session(.unknownSession)) == [.register(node: 1)])
        #expect(client.failed(Self.attempt(1, 2), .session(.unknownSession)) == [.fail(1, .unknown)])
        let next = SessionID(rawValue: 9)
        #expect(
            client.registered(.success(next)) == [.propose(Self.attempt(0, 2), Self.label(1, of: next), [0], node: 1)]
        )
    }

    @Test("no more commands are under way than the servers keep answers for")
    func window() {
        var (client, steps) = Self.client(4, window: 2)
        #expect(
            steps.dropFirst() == [
                .propose(Self.attempt(0), Self.label(1), [0], node: 0),
                .propose(Self.attempt(1), Self.label(2), [1], node: 0),
            ]
        )
        #expect(client.succeeded(1) == [], "the first one is still open")
        #expect(
            client.succeeded(0) == [
                .propose(Self.attempt(2), Self.label(3, first: 3), [2], node: 0),
                .propose(Self.attempt(3), Self.label(4, first: 3), [3], node: 0),
            ]
        )
    }

    @Test("pauses grow to 100 ms while every try fails, and one answer ends that")
    func pauses() {
        var (client, _) = Self.client(1)
        var pauses: [ClientRequests.Step] = []
        for number in 1...5 {
            pauses += client.failed(Self.attempt(0, number), .noLeader)
            _ = client.pauseOver()
        }
        #expect(pauses == [20, 40, 80, 100, 100].map { .pause(milliseconds: $0) })
        _ = client.succeeded(0)
        _ = client.submit(9, .query)
        #expect(client.failed(Self.attempt(9), .noLeader) == [.pause(milliseconds: 20)])
    }

    @Test("what is too large, and an answer that is gone, end a command at once")
    func ends() {
        var (client, _) = Self.client(2)
        #expect(client.failed(Self.attempt(0), .tooLarge) == [.fail(0, .notDone(.tooLarge))])
        #expect(client.failed(Self.attempt(1), .session(.answerForgotten)) == [.fail(1, .answerLost)])
        #expect(client.count == 0)
    }

    @Test(
        "a client that stops ends all its requests: what was proposed is unknown, the rest is not done, and nothing is tried"
    )
    func stops() {
        var (client, _) = Self.client(2, window: 2)
        _ = client.submit(8, .query)
        _ = client.submit(9, .command([9]))
        #expect(
            client.stop() == [
                .fail(0, .unknown), .fail(1, .unknown), .fail(8, .notDone(.cancelled)), .fail(9, .notDone(.cancelled)),
            ]
        )
        #expect(client.count == 0 && client.pauseOver() == [] && client.succeeded(1) == [])
    }
}
