// Ten thousand long-lived connections in one process: one actor for each, and no thread waits for any of them.

import Conclave
import ConclaveNet
import DemoSupport
import Foundation

@main
struct ChatServerDemo {
    /// Files the process needs beside its connections.
    static let otherFiles = 100
    /// Clients that connect before the next ones wait: the kernel's queue of a listening socket is short.
    static let connectingAtOnce = 200

    static func main() async throws {
        let demo = Demo(
            "chat-server",
            about: """
                ChatServer: every client has an actor of its own on the server, which lives as long as the connection. Most are idle
                most of the time: an idle connection costs a little memory and no thread.
                """,
            options: ["connections": 10_000]
        )
        let wanted = demo.numbers["connections", default: 10_000]
        let files = Resources.raiseFileLimit()
        // Both ends are in this process.
        let count = min(wanted, (files - otherFiles) / 2)
        if count < wanted {
            print(
                "\nThis process may open \(files) files, so that \(count) connections have to do instead of \(wanted) (see ulimit -n)."
            )
        }
        demo.expect(count > 0, "there is room for \(count) connections, both ends in this process")

        let socketEvents = try PlatformSocketEvents.make()
        let system = ActorSystem("chat")
        let room = system.registry.group("room", of: ChatConnection.Message.self)
        let listening = try Socket.listen(on: .loopback(port: 0))
        guard let address = listening.localAddress else { fatalError("a listening socket has an address") }
        try system.spawn("listener", options: .permanent) {
            Listener(on: listening, maximumConnections: count, events: socketEvents) { event in
                print("   network: \(event)")
            } makeConnection: {
                ChatConnection($0, room: room, events: socketEvents)
            }
        }
        print("   listening on \(address)")

        var clients = try await connect(count, to: address, room, demo)
        try await talk(clients, demo)
        try await leave(&clients, room, demo)

        demo.part("Shutdown")
        await system.shutdown()
        socketEvents.stop()
        demo.expect(room.count == 0, "the room is empty, the server has ended")
    }

    static func connect(
        _ count: Int,
        to address: SocketAddress,
        _ room: Group<ChatConnection.Message>,
        _ demo: Demo
    ) async throws -> [Client] {
        demo.part("\(count) clients connect, and say nothing")
        var joined = room.changes.events(limit: 2 * connectingAtOnce).makeAsyncIterator()
        var clients: [Client] = []
        clients.reserveCapacity(count)
        let clock = ContinuousClock()
        let start = clock.now
        let before = Resources.memoryBytes
        while clients.count < count {
            let group = min(connectingAtOnce, count - clients.count)
            for _ in 0..<group { clients.append(Client(try Socket.connect(to: address))) }
            for _ in 0..<group { _ = await joined.next() }
        }
        let memory = Resources.memoryBytes - before
        print("   after \((clock.now - start).text)")
        demo.expect(room.count == count, "\(count) connections are open, with an actor each")
        print(
            "   memory: \(memory / 1_024) kB more than before, \(memory / count) bytes for a connection (the kernel's not counted)"
        )
        return clients
    }

    static func talk(_ clients: [Client], _ demo: Demo) async throws {
        demo.part("One of them says hello, and everybody hears it")
        let clock = ContinuousClock()
        let start = clock.now
        let hello = "client 1: hello, everybody\n"
        demo.expect(clients[0].say(hello), "client 1 has said its line")
        var waiting = Array(clients.indices)
        while !waiting.isEmpty, clock.now - start < .seconds(60) {
            waiting.removeAll { clients[$0].hears(hello) }
            // The server's turn.
            if !waiting.isEmpty { try await Task.sleep(for: .milliseconds(1)) }
        }
        demo.expect(waiting.isEmpty, "all \(clients.count) clients heard it within \((clock.now - start).text)")
    }

    static func leave(_ clients: inout [Client], _ room: Group<ChatConnection.Message>, _ demo: Demo) async throws {
        demo.part("Half of them leave")
        var left = room.changes.events(limit: clients.count).makeAsyncIterator()
        let leaving = clients.count / 2
        clients.removeLast(leaving)
        for _ in 0..<leaving { _ = await left.next() }
        demo.expect(
            room.count == clients.count,
            "their actors have ended and left the room: \(room.count) are still there"
        )
    }
}

/// The other end of a connection. It closes when the last reference goes.
final class Client {
    private let socket: Socket
    private var heard: [UInt8] = []

    init(_ socket: Socket) { self.socket = socket }

    func say(_ line: String) -> Bool {
        Array(line.utf8).withUnsafeBytes { socket.send($0) } == .bytes(line.utf8.count)
    }

    /// Whether `line` has arrived by now. Never waits.
    func hears(_ line: String) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: 1_024, alignment: 1) { memory in
            while case .bytes(let count) = socket.receive(into: memory) { heard += memory.prefix(count) }
        }
        return heard == Array(line.utf8)
    }
}
