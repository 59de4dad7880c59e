// The commands of operators: RAFT.NODE, RAFT.TRANSFER_LEADER, RAFT.SNAPSHOT, RAFT.INFO and RAFT.HASH.

import ConclaveNet
package import ConclaveRaft
import RaftCore

extension Command {
    /// What operators ask for.
    package enum Cluster: Hashable, Sendable {
        /// The leader does it, whichever server is asked.
        case administrate(AdminCommand)
        /// The members as this server knows them.
        case members
        /// How this server stands.
        case info
        /// This server writes its state down now.
        case snapshot
        /// A hash of this server's state, and at which index.
        case hash
    }

    /// `RAFT.NODE [LIST]`, `RAFT.NODE ADD id host:port [LEARNER]`, `RAFT.NODE REMOVE id` or `RAFT.NODE PROMOTE id`.
    static func parseNode(_ request: RESPRequest) throws(ReplyError) -> Command {
        guard request.count > 1 else { return .cluster(.members) }
        let subcommand = request[1]
        if subcommand.isWord("list") {
            try expect(2, request)
            return .cluster(.members)
        } else if subcommand.isWord("add") {
            return .cluster(.administrate(.add(try parseMember(request))))
        } else if subcommand.isWord("remove") {
            try expect(3, request)
            return .cluster(.administrate(.remove(try node(request[2]))))
        } else if subcommand.isWord("promote") {
            try expect(3, request)
            return .cluster(.administrate(.promote(try node(request[2]))))
        }
        return try parseHelp(.node, request)
    }

    /// Without LEARNER the server becomes a voter by itself when it has caught up.
    private static func parseMember(_ request: RESPRequest) throws(ReplyError) -> MemberRecord {
        guard (4...5).contains(request.count) else { throw .wrongCount("raft.node|add") }
        guard request.count == 4 || request[4].isWord("learner") else { throw .syntax }
        let address: SocketAddress
        do { address = try SocketAddress(request[3].text) } catch { throw ReplyError(message: "\(error)") }
        guard address.port > 0 else { throw ReplyError(message: "a server has a port from 1 to 65535") }
        return MemberRecord(
            try node(request[2]),
            peerAddress: "\(address)",
            isToBePromoted: request.count == 4
        )
    }

    /// `RAFT.TRANSFER_LEADER [id]`.
    static func parseTransfer(_ request: RESPRequest) throws(ReplyError) -> Command {
        guard request.count <= 2 else { throw .wrongCount("raft.transfer_leader") }
        let target: NodeID? = request.count == 2 ? try node(request[1]) : nil
        return .cluster(.administrate(.transferLeadership(to: target)))
    }

    private static func node(_ word: Bytes) throws(ReplyError) -> NodeID {
        let number = try integer(word)
        guard (1...Int64(Int32.max)).contains(number) else { throw ReplyError(message: "a server's id is at least 1") }
        return NodeID(UInt64(number))
    }
}

extension AdminError {
    /// As a Redis client sees it: see `RaftError.reply` for what may be concluded.
    package var reply: Reply {
        switch self {
        case .request(let error): error.reply
        case .refused(let refusal): .error("ERR", refusal.description)
        }
    }
}
