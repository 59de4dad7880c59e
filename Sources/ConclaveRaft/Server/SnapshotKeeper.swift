// The actor that writes, sends and receives snapshot files, so that neither the log nor consensus waits for them.

import Conclave
import RaftCore
import RaftLog

/// What the snapshot actor is told.
enum SnapshotMessage: Sendable {
    /// Write the snapshot down and hand it to the log.
    case take(SnapshotJob, writer: ActorRef<LogWriterMessage>)
    /// Read a piece and send it to whoever needs it.
    case send(SnapshotChunkRequest, consensus: ActorRef<ConsensusMessage>)
    /// Keep a piece that a leader sent.
    case store(ReceivedChunk, consensus: ActorRef<ConsensusMessage>)
    /// A snapshot that arrived as a whole is not wanted any more.
    case discard(SealedSnapshot)
    /// Do something with a copy of the state that takes long.
    case run(@Sendable () -> Void)
    /// This is the server's snapshot now.
    case adopted(SnapshotInfo)
    /// Nobody is being sent this snapshot any more.
    case sendingEnded(LogPosition)
}

/// A state to be written down: a copy, which the machine does not touch any more.
struct SnapshotJob: Sendable {
    var metadata: SnapshotMetadata
    var sessions: [UInt8]
    /// Writes the machine's part.
    var writeState: @Sendable (SnapshotWriter) throws -> Void
}

/// Owns the snapshot files, on a thread of its own because reading and writing them blocks.
///
/// A file that cannot be written or read concerns nobody's promises: the log stays, and the next snapshot is tried later.
struct SnapshotKeeper: Behavior {
    typealias Message = SnapshotMessage

    private let files: SnapshotFiles
    private let outbox: Outbox
    private var current: SnapshotInfo?
    /// Open for reading, while somebody is being sent them: the current one, and those before it, which have lost their names but go on
    /// taking space on the disk. Each peer is sent one at a time, so there are at most as many as peers.
    private var readers: [LogPosition: SnapshotReader] = [:]
    /// What arrives from a leader.
    private var receiver: SnapshotReceiver?

    init(_ files: SnapshotFiles, current: SnapshotInfo?, outbox: Outbox) {
        self.files = files
        self.current = current
        self.outbox = outbox
    }

    mutating func receive(_ message: consuming SnapshotMessage, _ context: borrowing Context<SnapshotMessage>) {
        switch consume message {
        case .take(let job, let writer): take(job, writer)
        case .send(let request, let consensus): send(request, consensus)
        case .store(let chunk, let consensus): store(chunk, consensus)
        case .discard(let sealed): files.discard(sealed)
        case .run(let body): body()
        case .adopted(let info):
            current = info
            // It may take the place of a damaged one.
            readers[info.position] = nil
        case .sendingEnded(let position): readers[position] = nil
        }
    }

    private func take(_ job: SnapshotJob, _ writer: ActorRef<LogWriterMessage>) {
        do {
            let file = try files.write(at: job.metadata.last)
            try job.writeState(file)
            let sealed = try file.finish(
                configuration: job.metadata.configuration.encoded(),
                sessions: job.sessions
            )
            writer.send(.adopt(sealed, job.metadata))
        } catch {
            writer.send(.snapshotFailed)
        }
    }

    // MARK: Sending

    private mutating func send(_ request: SnapshotChunkRequest, _ consensus: ActorRef<ConsensusMessage>) {
        do {
            guard let reader = try reader(of: request.snapshot.last), let offset = Int(exactly: request.offset) else {
                return consensus.send(.snapshotUnreadable(request, damage: nil))
            }
            let stream = SnapshotStream(reader.info)
            let piece = try stream.piece(at: offset, upTo: request.sizeBytes) { try reader.bytes(at: $0, count: $1) }
            outbox.send(request.message(bytes: piece.bytes, isLast: piece.isLast))
        } catch {
            readers[request.snapshot.last] = nil
            let isCurrent = current?.position == request.snapshot.last
            consensus.send(.snapshotUnreadable(request, damage: isCurrent ? "\(error)" : nil))
        }
    }

    /// Nil when the file is gone.
    private mutating func reader(of position: LogPosition) throws -> SnapshotReader? {
        if let open = readers[position] { return open }
        guard let current, current.position == position else { return nil }
        let reader = try files.read(current)
        readers[position] = reader
        return reader
    }

    // MARK: Receiving

    private mutating func store(_ received: ReceivedChunk, _ consensus: ActorRef<ConsensusMessage>) {
        do {
            let sealed = try store(received.chunk)
            consensus.send(.chunkStored(received, sealed))
        } catch {
            receiver = nil
            consensus.send(.chunkRefused(received))
        }
    }

    /// Returns the whole snapshot once it is there.
    private mutating func store(_ chunk: SnapshotChunk) throws -> SealedSnapshot? {
        guard let offset = Int(exactly: chunk.offset) else { throw WireError.numberOutOfRange(chunk.offset) }
        if offset == 0 {
            receiver = nil
            receiver = try files.receive(try SnapshotStream.info(in: chunk.bytes, at: chunk.snapshot.last))
        }
        guard let receiver, receiver.info.position == chunk.snapshot.last else { throw WireError.truncated }
        let header = max(0, SnapshotStream.headerSizeBytes - offset)
        let place = max(0, offset - SnapshotStream.headerSizeBytes)
        try chunk.bytes.withUnsafeBytes { bytes in
            if bytes.count > header {
                try receiver.write(UnsafeRawBufferPointer(rebasing: bytes[header...]), at: place)
            }
        }
        guard chunk.isLast else { return nil }
        guard receiver.receivedBytes == receiver.info.sizeBytes else { throw WireError.truncated }
        self.receiver = nil
        return try receiver.finish()
    }
}

/// A snapshot on the wire: size (8) and checksum (4) of the file, little endian, then the file.
struct SnapshotStream {
    static let headerSizeBytes = 12

    private let info: SnapshotInfo

    init(_ info: SnapshotInfo) { self.info = info }

    var sizeBytes: Int { Self.headerSizeBytes + info.sizeBytes }

    /// A piece of the stream. `read` gives bytes of the file: from an offset, at most so many.
    ///
    /// Behind the end there is an empty last piece: who has so much already has it of another file of the same position, which this one
    /// has replaced, refuses the whole and begins again.
    func piece(
        at offset: Int,
        upTo count: Int,
        _ read: (Int, Int) throws -> [UInt8]
    ) rethrows -> (bytes: [UInt8], isLast: Bool) {
        var bytes: [UInt8] = []
        if offset < Self.headerSizeBytes { bytes += header[offset...].prefix(count) }
        let start = max(0, offset - Self.headerSizeBytes)
        let wanted = min(count - bytes.count, info.sizeBytes - start)
        if wanted > 0 { bytes += try read(start, wanted) }
        return (bytes, offset + bytes.count >= sizeBytes)
    }

    private var header: [UInt8] {
        var writer = WireWriter(reserving: Self.headerSizeBytes)
        writer.put(UInt64(info.sizeBytes))
        writer.put(info.checksum)
        return writer.bytes
    }

    /// What the first piece says of the file.
    /// - Throws: `WireError` for a piece that cannot be the first.
    static func info(in piece: [UInt8], at position: LogPosition) throws -> SnapshotInfo {
        try piece.withUnsafeBytes { raw in
            var reader = WireReader(raw)
            let size: UInt64 = try reader.take()
            guard let sizeBytes = Int(exactly: size) else { throw WireError.numberOutOfRange(size) }
            return SnapshotInfo(position: position, sizeBytes: sizeBytes, checksum: try reader.take())
        }
    }
}
