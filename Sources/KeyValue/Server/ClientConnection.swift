// One client: bytes in, commands to the cluster, replies out in the order of the commands.

import Conclave
import ConclaveNet
import ConclaveRaft

/// What a client connection is told.
enum ClientConnectionMessage: Sendable {
    case socketReady
    /// The commands in progress are done, or failed.
    case finished(Result<[Reply], RaftError>)
}

/// Serves one client for as long as it stays.
///
/// Commands that arrived together and are of one kind travel together: consecutive writes are one proposal, consecutive reads one
/// query. At most one such group is in progress, so that a client sees its own commands in its own order; what arrives meanwhile
/// waits here, and above a bound in the kernel.
struct ClientConnection: Behavior {
    typealias Message = ClientConnectionMessage

    /// A command that was not started, or whose reply was known at once.
    private struct WaitingCommand {
        var handling: ConnectionState.Handling
        /// The dialect of its reply: a later HELLO must not change it.
        var version: RESPVersion
    }

    /// The commands that travel together at the moment.
    private struct Group {
        var count: Int
        var version: RESPVersion
    }

    /// Commands that wait here before reading from the socket pauses.
    private static var waitingCommands: Int { 4096 }
    /// Bytes in one proposal; one command always fits.
    private static var proposalBytes: Int { 1 << 20 }

    private let service: KeyValueService
    private var acceptedSocket: Socket?
    private var io: ConnectionIO?
    private var parser: RESPParser
    private var writer = RESPWriter()
    private var state: ConnectionState
    /// Commands taken from the parser that have not been started. Replies known at once wait here too, to keep the order.
    private var waiting: [WaitingCommand] = []
    private var waitingHead = 0
    private var inProgress: Group?
    /// Nothing the client says is looked at any more; the connection closes when all is sent.
    private var isClosing = false

    init(_ socket: Socket, service: KeyValueService) {
        self.service = service
        acceptedSocket = socket
        parser = RESPParser()
        state = ConnectionState(
            id: service.nextConnectionID(),
            address: socket.remoteAddress.map { "\($0)" } ?? "?",
            localAddress: socket.localAddress.map { "\($0)" } ?? "?"
        )
    }

    mutating func started(_ context: borrowing Context<Message>) throws {
        guard let socket = acceptedSocket.take() else { preconditionFailure("a client connection is never restarted") }
        let myself = context.myself
        io = try ConnectionIO(socket, events: service.events) { myself.send(.socketReady) }
        service.connectionOpened()
    }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .socketReady: readInput(context)
        case .finished(let result): finish(result)
        }
    }

    mutating func batchEnded(_ context: borrowing Context<Message>) {
        advance(context)
        guard let io else { return }
        do {
            if !writer.bytes.isEmpty {
                guard io.outgoing.append(writer.bytes) else { return context.stop() }
                writer.removeAll()
            }
            try io.flush()
        } catch {
            return context.stop()
        }
        if isClosing, inProgress == nil, waitingHead == waiting.count, io.outgoing.isEmpty { context.stop() }
        if io.isPaused, waiting.count - waitingHead < Self.waitingCommands / 2 { io.resumeInput() }
    }

    mutating func stopping(_ reason: ExitReason, _ context: borrowing Context<Message>) {
        io?.close()
        io = nil
        service.connectionClosed()
    }

    // MARK: Input

    private mutating func readInput(_ context: borrowing Context<Message>) {
        guard let io else { return }
        let input = io.receive()
        if isClosing {
            io.received.removeAll()
        } else if !io.received.isEmpty {
            parser.append([UInt8](io.received.bytes))
            io.received.removeAll()
            takeCommands()
        }
        switch input {
        case .open: break
        case .ended, .failed: context.stop()
        }
        if waiting.count - waitingHead >= Self.waitingCommands { io.pauseInput() }
    }

    private mutating func takeCommands() {
        do {
            while !isClosing, let request = try parser.next() {
                let handling = state.handle(request)
                if case .close = handling { isClosing = true }
                waiting.append(WaitingCommand(handling: handling, version: state.version))
            }
        } catch {
            isClosing = true
            waiting.append(WaitingCommand(handling: .close(after: error.reply), version: state.version))
        }
    }

    // MARK: Progress

    /// Starts what waits until a group is in progress or nothing is left.
    private mutating func advance(_ context: borrowing Context<Message>) {
        while inProgress == nil, waitingHead < waiting.count {
            let version = waiting[waitingHead].version
            switch waiting[waitingHead].handling {
            case .reply(let reply), .close(after: let reply):
                waitingHead += 1
                write(reply, version)
            case .info(let sections):
                waitingHead += 1
                write(service.facts().reply(sections: sections), version)
            case .write: propose(context.myself)
            case .read: query(context.myself)
            case .once(let label, let write):
                waitingHead += 1
                proposeOnce(label, write, version, context.myself)
            case .session(let request):
                waitingHead += 1
                proposeSession(request, version, context.myself)
            case .cluster(let request):
                waitingHead += 1
                askCluster(request, version, context.myself)
            }
        }
        if waitingHead == waiting.count {
            waiting.removeAll(keepingCapacity: waiting.capacity <= Self.waitingCommands)
            waitingHead = 0
        }
    }

    private mutating func propose(_ myself: ActorRef<Message>) {
        var batch = WriteBatch()
        let version = waiting[waitingHead].version
        while waitingHead < waiting.count, batch.bytes.count < Self.proposalBytes,
            case .write(let write) = waiting[waitingHead].handling
        {
            batch.append(write)
            waitingHead += 1
        }
        inProgress = Group(count: batch.count, version: version)
        service.propose(batch.bytes, CommandCompletion<KeyValueMachine> { myself.send(.finished($0)) })
    }

    private mutating func proposeOnce(
        _ label: SessionCommand,
        _ write: KeyValueWrite,
        _ version: RESPVersion,
        _ myself: ActorRef<Message>
    ) {
        var batch = WriteBatch()
        batch.append(write)
        inProgress = Group(count: 1, version: version)
        service.server.propose(label, batch.bytes, CommandCompletion<KeyValueMachine> { myself.send(.finished($0)) })
    }

    private mutating func proposeSession(
        _ request: Command.Session,
        _ version: RESPVersion,
        _ myself: ActorRef<Message>
    ) {
        inProgress = Group(count: 1, version: version)
        switch request {
        case .register:
            service.server.registerSession(
                SessionCompletion { myself.send(.finished($0.map { [.integer(Int64($0.rawValue))] })) }
            )
        case .keepAlive(let session):
            service.server.keepAlive(session, SessionCompletion { myself.send(.finished($0.map { _ in [.ok] })) })
        case .end(let session):
            service.server.endSession(session, SessionCompletion { myself.send(.finished($0.map { _ in [.ok] })) })
        }
    }

    private mutating func askCluster(
        _ request: Command.Cluster,
        _ version: RESPVersion,
        _ myself: ActorRef<Message>
    ) {
        inProgress = Group(count: 1, version: version)
        switch request {
        case .administrate(let command): service.server.administrate(command, completion(myself))
        case .snapshot: service.server.takeSnapshot(completion(myself))
        case .members: finish(.success([service.clusterFacts.members]))
        case .info: finish(.success([service.clusterFacts.info]))
        case .hash:
            service.server.hashState(
                StateHashCompletion { hash in
                    myself.send(hash.map { .finished(.success([$0.reply])) } ?? .finished(.failure(.serverStopped)))
                }
            )
        }
    }

    private func completion(_ myself: ActorRef<Message>) -> AdminCompletion {
        AdminCompletion { result in
            switch result {
            case .success: myself.send(.finished(.success([.ok])))
            case .failure(let error): myself.send(.finished(.success([error.reply])))
            }
        }
    }

    private mutating func query(_ myself: ActorRef<Message>) {
        var reads: [KeyValueRead] = []
        let version = waiting[waitingHead].version
        while waitingHead < waiting.count, case .read(let read) = waiting[waitingHead].handling {
            reads.append(read)
            waitingHead += 1
        }
        inProgress = Group(count: reads.count, version: version)
        service.read(QueryCompletion(reads) { myself.send(.finished($0)) })
    }

    private mutating func finish(_ result: Result<[Reply], RaftError>) {
        guard let group = inProgress.take() else { preconditionFailure("a result without commands in progress") }
        switch result {
        case .success(let replies): for reply in replies { write(reply, group.version) }
        case .failure(let error): for _ in 0..<group.count { write(error.reply, group.version) }
        }
    }

    private mutating func write(_ reply: Reply, _ version: RESPVersion) {
        writer.version = version
        writer.write(reply)
    }
}
