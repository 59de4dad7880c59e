// Ten thousand long-lived connections in one process: one actor for each, and no thread waits for any of them.

import Conclave
import ConclaveNet
import DemoSupport
import Foundation

@main
struct ChatServerDemo {
    /// Files the process needs beside its connections.
    static let otherFiles = 100

    static func main() async throws {
        let demo = Demo(
            "chat-server",
            about: """
                ChatServer: every client has an actor of its own on the server, which lives as long as the connection. Most are idle
                most of the time: an idle connection costs a little memory and no thread. The clients are a second process.
                """,
            options: ["connections": 10_000],
            hidden: ["clients-of": 0]
        )
        let wanted = demo.numbers["connections", default: 10_000]
        if let port = demo.numbers["clients-of"], port > 0 {
            return try ClientProcess.run(wanted, connectingTo: UInt16(port))
        }
        let files = Resources.raiseFileLimit()
        let count = min(wanted, files - otherFiles)
        if count < wanted {
            print(
                "\nThis process may open \(files) files: \(count) connections have to do instead of \(wanted) (see ulimit -n)."
            )
        }
        demo.expect(count > 0, "there is room for \(count) connections")
        try await serve(count, demo)
    }

    static func serve(_ count: Int, _ demo: Demo) async throws {
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

        demo.part("\(count) clients connect, and say nothing")
        var changes = room.changes.events(limit: 2 * count).makeAsyncIterator()
        let clock = ContinuousClock()
        let start = clock.now
        let before = Resources.memoryBytes
        // Clients that end too early must not leave us waiting: then there are no more changes.
        let clients = try ChatClients(count, connectingTo: address.port) { room.changes.finish() }
        for _ in 0..<count { _ = await changes.next() }
        let memory = Resources.memoryBytes - before
        print("   after \((clock.now - start).text)")
        demo.expect(room.count == count, "\(count) connections are open, with an actor each")
        print(
            "   memory: \(memory / 1_024) kB more than before, \(memory / count) bytes for a connection (the kernel's not counted)"
        )

        demo.part("One of them says hello, and everybody hears it")
        let heard = await clients.carryOut(.talk) ?? "the clients have ended"
        demo.expect(heard.hasPrefix("\(count) clients"), heard)

        demo.part("Half of them leave")
        let left = await clients.carryOut(.leave)
        for _ in 0..<count / 2 { _ = await changes.next() }
        demo.expect(
            left != nil && room.count == count - count / 2,
            "their actors have ended: \(room.count) are still there"
        )

        demo.part("Shutdown")
        await system.shutdown()
        socketEvents.stop()
        demo.expect(room.count == 0, "the room is empty, the server has ended")
        clients.end()
    }
}
