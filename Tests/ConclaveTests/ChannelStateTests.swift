import Testing

@testable import Conclave

@Suite struct ChannelStateTests {
    private typealias State = ChannelState<Int, String, String>

    /// Sends and, without room, waits under `name`; tells what happened.
    private func send(_ value: Int, _ name: String, _ state: inout State) -> String {
        switch state.send(value) {
        case .stored: return "stored"
        case .hand(let value, let receiver): return "\(value) to \(receiver)"
        case .closed: return "closed"
        case .full(let value):
            _ = state.wait(name, with: value)
            return "waits"
        }
    }

    private func receive(_ name: String, _ state: inout State) -> String {
        switch state.receive() {
        case .take(let value, let sender): return sender.map { "\(value), resume \($0)" } ?? "\(value)"
        case .finished: return "finished"
        case .empty:
            _ = state.wait(name)
            return "waits"
        }
    }

    @Test("values are received in the order sent, and the sender that waited longest gets the room")
    func order() {
        var state = State(capacity: 2)
        #expect(send(1, "a", &state) == "stored")
        #expect(send(2, "a", &state) == "stored")
        #expect(send(3, "b", &state) == "waits")
        #expect(send(4, "c", &state) == "waits")
        #expect(receive("r", &state) == "1, resume b")
        // The room went to b: a newcomer cannot overtake c.
        #expect(send(5, "d", &state) == "waits")
        #expect(receive("r", &state) == "2, resume c")
        #expect(receive("r", &state) == "3, resume d")
        #expect(receive("r", &state) == "4")
        #expect(receive("r", &state) == "5")
        #expect(receive("r", &state) == "waits")
        #expect(state.count == 0)
    }

    @Test("a value goes to the receiver that has waited longest")
    func receivers() {
        var state = State(capacity: 1)
        #expect(receive("r", &state) == "waits")
        #expect(receive("s", &state) == "waits")
        #expect(send(1, "a", &state) == "1 to r")
        #expect(send(2, "a", &state) == "2 to s")
        #expect(send(3, "a", &state) == "stored")
    }

    @Test("with no capacity a value passes from hand to hand")
    func rendezvous() {
        var state = State(capacity: 0)
        #expect(send(1, "a", &state) == "waits")
        #expect(receive("r", &state) == "1, resume a")
        #expect(receive("r", &state) == "waits")
        #expect(send(2, "b", &state) == "2 to r")
    }

    @Test("closing refuses those who wait, and what is in the channel is still received")
    func close() {
        var state = State(capacity: 1)
        _ = send(1, "a", &state)
        _ = send(2, "b", &state)
        let waiting = state.close()
        #expect(waiting.senders.map { "\($0.sender) \($0.value)" } == ["b 2"])
        #expect(send(3, "c", &state) == "closed")
        #expect(receive("r", &state) == "1")
        #expect(receive("r", &state) == "finished")
        #expect(state.close().receivers.isEmpty)
    }

    @Test("who gives up leaves the line once, and is not served")
    func cancellation() {
        var state = State(capacity: 0)
        let tickets = ["r", "s", "t"].map { name in state.wait(name) }
        #expect(state.cancelReceive(tickets[1]) == "s")
        #expect(state.cancelReceive(tickets[1]) == nil)
        #expect(send(1, "a", &state) == "1 to r")
        #expect(send(2, "a", &state) == "2 to t")
        #expect(state.cancelReceive(tickets[2]) == nil)
        guard case .full(let value) = state.send(3) else { return #expect(Bool(false), "there is no room") }
        let ticket = state.wait("b", with: value)
        #expect(state.cancelSend(ticket)?.value == 3)
        #expect(receive("r", &state) == "waits")
    }

    @Test("a line that many leave without being served does not grow")
    func abandonedPlaces() {
        var line = WaitingLine<Int>()
        let first = line.join(-1)
        var stay: [UInt64] = []
        for number in 0..<100_000 {
            let ticket = line.join(number)
            if number % 25_000 == 0 { stay.append(ticket) } else { #expect(line.leave(ticket) == number) }
        }
        #expect(line.count == 5)
        #expect(Mirror(reflecting: line).descendant("places", "count") as? Int ?? .max <= 40)
        #expect(line.leave(first) == -1)
        #expect([line.popFirst(), line.popFirst(), line.popFirst(), line.popFirst()] == [0, 25_000, 50_000, 75_000])
        #expect(line.popFirst() == nil)
        #expect(line.leave(stay[0]) == nil)
    }

    @Test("a random run of a waiting line agrees with a plain array")
    func lineModel() {
        var random = TestRandom.seeded("LINE_SEED")
        var line = WaitingLine<Int>()
        var model: [(ticket: UInt64, waiter: Int)] = []
        for step in 0..<20_000 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1: model.append((line.join(step), step))
            case 2: #expect(line.popFirst() == (model.isEmpty ? nil : model.removeFirst().waiter))
            default:
                guard let place = model.indices.randomElement(using: &random) else { continue }
                let leaver = model.remove(at: place)
                #expect(line.leave(leaver.ticket) == leaver.waiter)
            }
            #expect(line.count == model.count)
        }
    }
}
