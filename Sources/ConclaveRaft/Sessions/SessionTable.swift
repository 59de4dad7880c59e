// Exactly once for commands that are tried again: a pure value, the same on every server.

import RaftCore

/// What the servers remember of clients. Each bound is at least 1.
struct SessionLimits: Hashable, Sendable {
    /// Sessions at a time; one more ends the one that was silent longest.
    var sessions: Int
    /// Commands of one session from the first unanswered one on.
    var window: UInt64
    /// Bytes of one answer; of a longer one it is only remembered that the command was carried out.
    var answerBytes: Int
    /// Bytes of all answers; more end the session that was silent longest.
    var totalBytes: Int
    /// Log time, in nanoseconds, after which a silent session ends.
    var idleNanoseconds: UInt64

    init(
        sessions: Int = 4096,
        window: UInt64 = 256,
        answerBytes: Int = 64 << 10,
        totalBytes: Int = 64 << 20,
        idleNanoseconds: UInt64 = 600_000_000_000
    ) {
        precondition(sessions >= 1 && window >= 1 && answerBytes >= 1 && totalBytes >= 1, "a bound below 1")
        self.sessions = sessions
        self.window = window
        self.answerBytes = answerBytes
        self.totalBytes = totalBytes
        self.idleNanoseconds = idleNanoseconds
    }
}

/// The sessions of all clients with the answers that may be asked for again (Raft dissertation §6.3).
///
/// Part of the replicated state: it changes by entries of the log alone, in their order, and is carried in snapshots. Its time is
/// the one that leaders stamp into the log, which never goes back; no server's own clock matters.
struct SessionTable: Hashable, Sendable {
    /// What is to become of a session's command.
    enum Admission: Hashable, Sendable {
        /// It is new: carry it out and `record` its answer.
        case new
        /// It was carried out before, with this answer.
        case answered([UInt8])
        case refused(SessionRefusal)
    }

    private struct Answer: Hashable, Sendable {
        var sequence: UInt64
        /// Nil when it was too large to keep.
        var bytes: [UInt8]?
    }

    private struct Session: Hashable, Sendable {
        var activeAt: UInt64
        var firstUnanswered: UInt64 = 1
        /// Of commands carried out, from `firstUnanswered` on. Invariant: sequences ascend.
        var answers: [Answer] = []
        var bytes = 0

        mutating func forget(before sequence: UInt64) {
            guard sequence > firstUnanswered else { return }
            firstUnanswered = sequence
            let count = answers.prefix { $0.sequence < sequence }.count
            bytes -= answers[..<count].reduce(0) { $0 + ($1.bytes?.count ?? 0) }
            answers.removeFirst(count)
        }

        /// Where the answer with `sequence` is, or would be.
        func place(of sequence: UInt64) -> Int {
            // Commands come in order but for retries: look from the end.
            var place = answers.count
            while place > 0, answers[place - 1].sequence >= sequence { place -= 1 }
            return place
        }
    }

    let limits: SessionLimits
    /// Log time: the highest stamp so far.
    private(set) var time: UInt64 = 0
    private var sessions: [SessionID: Session] = [:]
    /// Bytes of all answers.
    private(set) var bytes = 0
    /// No session is idle for too long before this time.
    private var nextExpiry: UInt64 = .max

    init(limits: SessionLimits = SessionLimits()) { self.limits = limits }

    var count: Int { sessions.count }

    /// An entry stamped with `stamp` is about to be applied. Ends the sessions that have been silent too long by then.
    mutating func advance(to stamp: UInt64) {
        time = max(time, stamp)
        guard time >= nextExpiry else { return }
        for (id, session) in sessions where isExpired(session) { end(id) }
        updateNextExpiry()
    }

    /// Registers a client with the entry at `index`.
    mutating func register(at index: LogIndex) -> SessionID {
        if sessions.count >= limits.sessions { endMostSilent(but: nil) }
        let id = SessionID(rawValue: index.rawValue)
        sessions[id] = Session(activeAt: time)
        nextExpiry = min(nextExpiry, time.addingReportingOverflow(limits.idleNanoseconds).partialValue)
        return id
    }

    /// The client is alive. False: its session has ended.
    mutating func keepAlive(_ id: SessionID) -> Bool {
        guard sessions[id] != nil else { return false }
        sessions[id]?.activeAt = time
        return true
    }

    /// The client needs its session no more.
    mutating func end(_ id: SessionID) {
        if let session = sessions.removeValue(forKey: id) { bytes -= session.bytes }
    }

    /// Decides about a command, and notes that its client is alive.
    mutating func admit(_ command: SessionCommand) -> Admission {
        guard var session = sessions.removeValue(forKey: command.session) else { return .refused(.unknownSession) }
        defer { sessions[command.session] = session }
        session.activeAt = time
        bytes -= session.bytes
        session.forget(before: min(command.firstUnanswered, command.sequence))
        bytes += session.bytes
        if command.sequence < session.firstUnanswered { return .refused(.answerForgotten) }
        if command.sequence - session.firstUnanswered >= limits.window { return .refused(.windowExceeded) }
        let place = session.place(of: command.sequence)
        guard place < session.answers.count, session.answers[place].sequence == command.sequence else { return .new }
        return session.answers[place].bytes.map { .answered($0) } ?? .refused(.answerForgotten)
    }

    /// Notes the answer of a command that was admitted as new.
    mutating func record(_ answer: [UInt8], of command: SessionCommand) {
        guard var session = sessions.removeValue(forKey: command.session) else { return }
        let kept = answer.count <= limits.answerBytes ? answer : nil
        session.answers.insert(
            Answer(sequence: command.sequence, bytes: kept),
            at: session.place(of: command.sequence)
        )
        session.bytes += kept?.count ?? 0
        bytes += kept?.count ?? 0
        sessions[command.session] = session
        while bytes > limits.totalBytes, endMostSilent(but: command.session) {}
    }

    // MARK: Expiry

    private func isExpired(_ session: Session) -> Bool { time - session.activeAt >= limits.idleNanoseconds }

    private mutating func updateNextExpiry() {
        let oldest = sessions.values.map(\.activeAt).min()
        nextExpiry = oldest.map { $0.addingReportingOverflow(limits.idleNanoseconds).partialValue } ?? .max
    }

    /// False: there is no other.
    @discardableResult
    private mutating func endMostSilent(but spared: SessionID?) -> Bool {
        let silent = sessions.filter { $0.key != spared }
            .min { ($0.value.activeAt, $0.key) < ($1.value.activeAt, $1.key) }
        guard let silent else { return false }
        end(silent.key)
        return true
    }
}

// MARK: - Snapshots

extension SessionTable {
    /// The table as bytes: the same for equal tables.
    func encoded() -> [UInt8] {
        var writer = WireWriter(reserving: 16 + sessions.count * 64 + bytes)
        writer.put(time)
        writer.put(UInt32(sessions.count))
        for (id, session) in sessions.sorted(by: { $0.key < $1.key }) {
            writer.put(id.rawValue)
            writer.put(session.activeAt)
            writer.put(session.firstUnanswered)
            writer.put(UInt32(session.answers.count))
            for answer in session.answers {
                writer.put(answer.sequence)
                writer.put(answer.bytes != nil)
                if let bytes = answer.bytes { writer.put(bytes) }
            }
        }
        return writer.bytes
    }

    /// Reads a table back.
    /// - Throws: `WireError` for what `encoded` did not write.
    init(decoding encoded: [UInt8], limits: SessionLimits = SessionLimits()) throws(WireError) {
        self.init(limits: limits)
        do {
            try encoded.withUnsafeBytes { raw in
                var reader = WireReader(raw)
                time = try reader.take()
                let count: UInt32 = try reader.take()
                for _ in 0..<count { try takeSession(&reader) }
                guard reader.remaining == 0 else { throw WireError.trailingBytes(reader.remaining) }
            }
        } catch let error as WireError {
            throw error
        } catch {
            preconditionFailure("a reader throws WireError only, not \(error)")
        }
        updateNextExpiry()
    }

    private mutating func takeSession(_ reader: inout WireReader) throws(WireError) {
        let id = SessionID(rawValue: try reader.take())
        var session = Session(activeAt: try reader.take())
        guard session.activeAt <= time, sessions[id] == nil else { throw .badSessions }
        session.firstUnanswered = try reader.take()
        let count: UInt32 = try reader.take()
        for _ in 0..<count {
            let sequence: UInt64 = try reader.take()
            guard sequence >= session.firstUnanswered, session.answers.last.map({ $0.sequence < sequence }) ?? true
            else { throw .badSessions }
            let bytes = try reader.takeFlag() ? try reader.takePayload() : nil
            session.answers.append(Answer(sequence: sequence, bytes: bytes))
            session.bytes += bytes?.count ?? 0
        }
        bytes += session.bytes
        sessions[id] = session
    }
}
