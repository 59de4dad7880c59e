// Requests about the cluster as bytes.

import RaftCore

extension WireWriter {
    mutating func put(_ record: MemberRecord) {
        var bytes: [UInt8] = []
        record.encode(into: &bytes)
        put(bytes)
    }

    /// Kind (1: 1 change, 2 transfer, 3 transfer to anyone), then the count of steps (1) and each of them, or the number (8).
    mutating func put(_ command: AdminCommand) {
        switch command {
        case .change(let steps):
            put(1 as UInt8)
            put(UInt8(steps.count))
            for step in steps { put(step) }
        case .transferLeadership(to: let id?): put(2, id)
        case .transferLeadership(to: nil): put(3 as UInt8)
        }
    }

    /// Kind (1: 1 add, 2 promote, 3 demote, 4 remove), then the record or the number (8).
    private mutating func put(_ step: ConfigurationStep) {
        switch step {
        case .add(let record):
            put(1 as UInt8)
            put(record)
        case .promote(let id): put(2, id)
        case .demote(let id): put(3, id)
        case .remove(let id): put(4, id)
        case .addLearner, .describe: preconditionFailure("\(step) is no step of an operator")
        }
    }

    private mutating func put(_ kind: UInt8, _ id: NodeID) {
        put(kind)
        put(id.rawValue)
    }

    /// Kind (1: 0 done, 1 refused, 2 not done, 3 unknown), then the reason (1) unless it is done.
    mutating func put(_ error: AdminError?) {
        switch error {
        case nil: put(0 as UInt8)
        case .refused(let refusal): put((1, refusal.rawValue))
        case .request(.notDone(.overloaded)): put((2, 1))
        case .request(.notDone), .request(.session): put((2, 0))
        case .request(.unknown): put((3, 0))
        }
    }

    private mutating func put(_ pair: (UInt8, UInt8)) {
        put(pair.0)
        put(pair.1)
    }
}

extension WireReader {
    mutating func takeRecord() throws(WireError) -> MemberRecord {
        var bytes = try takePayload()[...]
        guard let record = MemberRecord(takingFrom: &bytes), bytes.isEmpty else { throw .badRecord }
        return record
    }

    mutating func takeAdminCommand() throws(WireError) -> AdminCommand {
        let kind: UInt8 = try take()
        switch kind {
        case 1:
            let count: UInt8 = try take()
            guard (1...AdminCommand.stepBound).contains(Int(count)) else { throw .badRequest }
            var steps: [ConfigurationStep] = []
            for _ in 0..<count { steps.append(try takeStep()) }
            return .change(steps)
        case 2: return .transferLeadership(to: NodeID(try take()))
        case 3: return .transferLeadership(to: nil)
        default: throw .badRequest
        }
    }

    private mutating func takeStep() throws(WireError) -> ConfigurationStep {
        let kind: UInt8 = try take()
        switch kind {
        case 1: return .add(try takeRecord())
        case 2: return .promote(NodeID(try take()))
        case 3: return .demote(NodeID(try take()))
        case 4: return .remove(NodeID(try take()))
        default: throw .badRequest
        }
    }

    mutating func takeAdminError() throws(WireError) -> AdminError? {
        let kind: UInt8 = try take()
        if kind == 0 { return nil }
        let reason: UInt8 = try take()
        switch (kind, reason) {
        case (1, _):
            guard let refusal = AdminRefusal(rawValue: reason) else { throw .badRequest }
            return .refused(refusal)
        case (2, 0): return .request(.noLeader)
        case (2, 1): return .request(.overloaded)
        case (3, 0): return .request(.timeout)
        default: throw .badRequest
        }
    }
}
