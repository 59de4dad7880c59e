// The commands of clients that must not carry anything out twice: RAFT.SESSION and RAFT.ONCE.

import ConclaveRaft

extension Command {
    /// `RAFT.ONCE session sequence first-unanswered command [argument ...]`.
    static func parseOnce(_ request: RESPRequest) throws(ReplyError) -> Command {
        let sequence = try positive(request[2])
        let first = try positive(request[3])
        guard first <= sequence else {
            throw ReplyError(message: "the first unanswered command cannot come after the command itself")
        }
        let label = SessionCommand(session: try session(request[1]), sequence: sequence, firstUnanswered: first)
        let command = RESPRequest(request.arguments.dropFirst(4).map { $0 })
        guard case .write(let write) = try parse(command) else {
            throw ReplyError(message: "only a write can be carried out once; others may simply be sent again")
        }
        return .once(label, write)
    }

    /// `RAFT.SESSION REGISTER`, `RAFT.SESSION KEEPALIVE session` or `RAFT.SESSION END session`.
    static func parseSession(_ request: RESPRequest) throws(ReplyError) -> Command {
        let subcommand = request[1]
        if subcommand.isWord("register") {
            try expect(2, request)
            return .session(.register)
        } else if subcommand.isWord("keepalive") {
            try expect(3, request)
            return .session(.keepAlive(try session(request[2])))
        } else if subcommand.isWord("end") {
            try expect(3, request)
            return .session(.end(try session(request[2])))
        }
        return try parseHelp(.session, request)
    }

    private static func session(_ word: Bytes) throws(ReplyError) -> SessionID {
        SessionID(rawValue: try positive(word))
    }

    private static func positive(_ word: Bytes) throws(ReplyError) -> UInt64 {
        let number = try integer(word)
        guard number > 0 else { throw .notAnInteger }
        return UInt64(number)
    }
}
