// One connection of the chat server: an actor for as long as its client stays.

import Conclave
import ConclaveNet

/// Passes each line of its client on to everybody in the room.
struct ChatConnection: Behavior {
    enum Message: Sendable {
        /// The socket has something.
        case socketReady
        /// Somebody in the room said this; with its line end.
        case said([UInt8])
    }

    /// A client whose line is longer is sent away.
    private static let longestLine = 1_000

    private let room: Group<Message>
    private let events: any SocketEvents
    private let socket: Socket
    private var io: ConnectionIO?

    init(_ socket: Socket, room: Group<Message>, events: any SocketEvents) {
        self.socket = socket
        self.room = room
        self.events = events
    }

    mutating func started(_ context: borrowing Context<Message>) throws {
        let myself = context.myself
        // What waits for a client that does not read is bounded: then the client is sent away.
        io = try ConnectionIO(socket, limits: ConnectionLimits(sendBytes: 2 << 20), events: events) {
            myself.send(.socketReady)
        }
        room.join(myself)  // and leaves when it ends
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        guard let io else { return }
        switch consume message {
        case .socketReady:
            let input = io.receive()
            while let end = io.received.bytes.firstIndex(of: UInt8(ascii: "\n")) {
                let count = end - io.received.bytes.startIndex + 1
                room.broadcast(.said([UInt8](io.received.bytes.prefix(count))))
                io.received.removeFirst(count)
            }
            guard case .open = input, io.received.count <= Self.longestLine else { return context.stop() }
        case .said(let line):
            guard io.outgoing.append(line) else { return context.stop() }
        }
    }

    /// What a batch of messages has to say leaves in one system call.
    mutating func batchEnded(_ context: borrowing Context<Message>) {
        do { try io?.flush() } catch { context.stop() }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) { io?.close() }
}
