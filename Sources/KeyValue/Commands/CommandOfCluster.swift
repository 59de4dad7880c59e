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

    /// `RAFT.NODE [LIST]`, `RAFT.NODE ADD id host:port [LEARNER]`, `RAFT.NODE REMOVE id`, `RAFT.NODE PROMOTE id`, `RAFT.NODE DEMOTE id`
    /// or `RAFT.NODE CHANGE` with any of these behind each other, for one step.
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
        } else if subcommand.isWord("demote") {
            try expect(3, request)
            return .cluster(.administrate(.demote(try node(request[2]))))
        } else if subcommand.isWord("change") {
            return .cluster(.administrate(.change(try parseSteps(request))))
        }
        return try parseHelp(.node, request)
    }

    /// Without LEARNER the server becomes a voter by itself when it has caught up.
    private static func parseMember(_ request: RESPRequest) throws(ReplyError) -> MemberRecord {
        guard (4...5).contains(request.count) else { throw .wrongCount("raft.node|add") }
        guard request.count == 4 || request[4].isWord("learner") else { throw .syntax }
        return try member(request[2], request[3], isLearner: request.count == 5)
    }

    private static func member(_ id: Bytes, _ place: Bytes, isLearner: Bool) throws(ReplyError) -> MemberRecord {
        let address: SocketAddress
        do { address = try SocketAddress(place.text) } catch { throw ReplyError(message: "\(error)") }
        guard address.port > 0 else { throw ReplyError(message: "a server has a port from 1 to 65535") }
        return MemberRecord(try node(id), peerAddress: "\(address)", isToBePromoted: !isLearner)
    }

    /// `ADD id host:port [LEARNER]`, `PROMOTE id`, `DEMOTE id` and `REMOVE id`, one or more in any order.
    private static func parseSteps(_ request: RESPRequest) throws(ReplyError) -> [ConfigurationStep] {
        var steps: [ConfigurationStep] = []
        var place = 2
        func word(_ offset: Int) throws(ReplyError) -> Bytes {
            guard place + offset < request.count else { throw .wrongCount("raft.node|change") }
            return request[place + offset]
        }
        repeat {
            guard steps.count < AdminCommand.stepBound else {
                throw ReplyError(message: "a change is of \(AdminCommand.stepBound) servers at most")
            }
            let kind = try word(0)
            if kind.isWord("add") {
                let isLearner = place + 3 < request.count && request[place + 3].isWord("learner")
                steps.append(.add(try member(try word(1), try word(2), isLearner: isLearner)))
                place += isLearner ? 4 : 3
                continue
            }
            if kind.isWord("promote") {
                steps.append(.promote(try node(try word(1))))
            } else if kind.isWord("demote") {
                steps.append(.demote(try node(try word(1))))
            } else if kind.isWord("remove") {
                steps.append(.remove(try node(try word(1))))
            } else {
                throw .syntax
            }
            place += 2
        } while place < request.count
        return steps
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
