import ConclaveNet
import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Listens like a server, agrees to RESP3, and treats each command as a test wants.
final class OddServer: Sendable {
    private let socket: Socket
    private let commands = Mutex<[String]>([])

    /// - Parameter reply: to each command but HELLO; nil: none, the connection is closed.
    init(answering reply: String?) throws {
        socket = try Socket.listen(on: .loopback(port: 0))
        _ = fcntl(socket.descriptor, F_SETFL, 0)
        DispatchQueue(label: "odd server").async { [self] in
            while case .accepted(let client) = socket.accept() {
                _ = fcntl(client.descriptor, F_SETFL, 0)
                serve(client, reply)
            }
        }
    }

    var address: String { socket.localAddress.map { "\($0)" } ?? "" }

    /// The commands that arrived, as they were sent.
    var heard: [String] { commands.withLock { $0 } }

    func stop() { socket.shutdown() }

    private func serve(_ client: Socket, _ reply: String?) {
        while let command = read(client) {
            guard !command.contains("HELLO") else {
                write("%0\r\n", client)
                continue
            }
            commands.withLock { $0.append(command) }
            guard let reply else { return }
            write(reply, client)
        }
    }

    /// What arrives at once, which is a whole command here; nil at the end of the connection.
    private func read(_ client: Socket) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        guard case .bytes(let count) = bytes.withUnsafeMutableBytes({ client.receive(into: $0) }) else { return nil }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    private func write(_ text: String, _ client: Socket) {
        _ = Array(text.utf8).withUnsafeBytes { client.send($0) }
    }
}
