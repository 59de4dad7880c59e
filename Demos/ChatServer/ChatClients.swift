// The other ends of the connections, in a process of their own: what the server's process uses is the server's alone.

import ConclaveNet
import DemoSupport
import Foundation

/// A process that plays many clients. It does what it is told, one order a line.
final class ChatClients {
    /// What the process is told, and answers when it is done.
    enum Order: String {
        /// The first client says hello; done when all have heard it.
        case talk
        /// Half of the clients leave.
        case leave
    }

    private let process = Process()
    private let orders = Pipe()
    private let answers = Pipe()

    /// Starts a process whose clients connect to `port`, and calls `onEnd` when it has ended.
    init(_ count: Int, connectingTo port: UInt16, onEnd: @escaping @Sendable () -> Void) throws {
        process.executableURL = Bundle.main.executableURL
        process.arguments = ["--connections", "\(count)", "--clients-of", "\(port)"]
        process.standardInput = orders
        process.standardOutput = answers
        process.terminationHandler = { _ in onEnd() }
        try process.run()
    }

    /// Gives an order and waits until it is carried out: the answer, or nil if the process has ended.
    func carryOut(_ order: Order) async -> String? {
        orders.fileHandleForWriting.write(Data("\(order.rawValue)\n".utf8))
        let output = answers.fileHandleForReading
        return await withCheckedContinuation { answered in
            Thread {
                let line = String(decoding: output.availableData, as: UTF8.self)
                answered.resume(returning: line.isEmpty ? nil : line.trimmingCharacters(in: .newlines))
            }.start()
        }
    }

    /// Ends the process, and so all connections.
    func end() {
        try? orders.fileHandleForWriting.close()
        process.waitUntilExit()
    }
}

/// What the other process does.
struct ClientProcess {
    private var clients: [Client] = []

    static func run(_ count: Int, connectingTo port: UInt16) throws {
        var process = ClientProcess()
        _ = Resources.raiseFileLimit()
        // Not all at once: the kernel's queue of a listening socket is short.
        for number in 0..<count {
            process.clients.append(try Client(connectingTo: .loopback(port: port)))
            if number % 100 == 99 { Thread.sleep(forTimeInterval: 0.005) }
        }
        while let line = readLine(), let order = ChatClients.Order(rawValue: line) {
            switch order {
            case .talk: print(process.talk())
            case .leave:
                process.clients.removeLast(count / 2)
                print("left")
            }
            fflush(nil)
        }
    }

    /// Returns how many clients heard the line, and after how long.
    private func talk() -> String {
        let clock = ContinuousClock()
        let start = clock.now
        let hello = "client 1: hello, everybody\n"
        guard clients[0].say(hello) else { return "0 clients heard it" }
        var waiting = clients
        while !waiting.isEmpty, clock.now - start < .seconds(60) {
            waiting.removeAll { $0.hears(hello) }
            if !waiting.isEmpty { Thread.sleep(forTimeInterval: 0.001) }
        }
        return "\(clients.count - waiting.count) clients heard it within \((clock.now - start).text)"
    }
}

/// One end of a connection. It closes when the last reference goes.
private final class Client {
    private let socket: Socket
    private var heard: [UInt8] = []

    init(connectingTo address: SocketAddress) throws { socket = try Socket.connect(to: address) }

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
