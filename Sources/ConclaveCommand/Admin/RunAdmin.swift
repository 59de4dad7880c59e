import ConclaveNet
import ConclaveRaft
import Foundation
import KeyValue

/// Asks a cluster about itself, or to change itself, over its client ports.
/// - Parameter write: takes what goes to standard output.
/// - Returns: `.errorReply` when a server does not answer or is not well.
/// - Throws: `CommandFailure` with `.unavailable` when no server answers, with `.errorReply` when the cluster refuses, or when servers have
///   different states, with `.unknownOutcome` when an order may have been carried out or not.
func runAdmin(_ options: AdminOptions, write: (String) -> Void) throws(CommandFailure) -> ExitCode {
    switch options.action {
    case .status: return try showStatus(options, write)
    case .members: return try showMembers(options, write)
    case .health: return try showHealth(options, write)
    case .hash: return try showHashes(options, write)
    case .snapshot: return try takeSnapshots(options, write)
    case .add(let id, let address, let isLearner):
        return try order(["RAFT.NODE", "ADD", "\(id)", "\(address)"] + (isLearner ? ["LEARNER"] : []), options, write)
    case .remove(let id): return try order(["RAFT.NODE", "REMOVE", "\(id)"], options, write)
    case .demote(let id): return try order(["RAFT.NODE", "DEMOTE", "\(id)"], options, write)
    case .promote(let id): return try insist(["RAFT.NODE", "PROMOTE", "\(id)"], options, write)
    case .change(let words): return try insist(["RAFT.NODE", "CHANGE"] + words, options, write)
    case .transfer(let target):
        return try order(["RAFT.TRANSFER_LEADER"] + (target.map { ["\($0)"] } ?? []), options, write)
    }
}

/// What one server answered, or why it did not.
private struct Answer {
    var endpoint: String
    var result: Result<Reply, CommandFailure>
    /// It had the question, or part of it, whatever became of the answer.
    var wasAsked = true

    /// The reply, unless it is a refusal.
    var reply: Reply? {
        guard case .success(let reply) = result else { return nil }
        if case .failure = reply { return nil }
        return reply
    }

    /// Why it is unknown whether what was asked for was done; nil: it is known.
    var doubt: String? {
        switch result {
        case .failure(let failure): wasAsked ? failure.message : nil
        case .success(.failure(let error)): ["TIMEOUT", "UNKNOWN"].contains(error.code) ? error.code : nil
        case .success: nil
        }
    }

    /// What is wrong, for people.
    var fault: String? {
        switch result {
        case .failure(let failure): failure.message.split(separator: ". ").first.map(String.init)
        case .success(.failure(let error)): "\(error.code) \(error.message)"
        case .success: nil
        }
    }
}

// MARK: - Asking

private func ask(_ address: SocketAddress, _ words: [String]) -> Answer {
    var wasAsked = false
    do throws(CommandFailure) {
        let options = ClientOptions(host: address.host, port: address.port, resp3: true, patienceSeconds: 15)
        var connection = try ClientConnection.open(options)
        wasAsked = true
        return Answer(endpoint: "\(address)", result: .success(try connection.ask(words)))
    } catch {
        return Answer(endpoint: "\(address)", result: .failure(error), wasAsked: wasAsked)
    }
}

/// Asks one server after the other until one answers.
///
/// - Parameter isOrder: what may have been done is not asked for again: by then it would mean something else, and its answer be another.
/// - Throws: `.unknownOutcome` for an order that may have been done.
private func askAny(_ options: AdminOptions, _ words: [String], isOrder: Bool = false) throws(CommandFailure)
    -> Reply
{
    var last: CommandFailure?
    for address in options.endpoints ?? AdminOptions.defaultEndpoints {
        let answer = ask(address, words)
        if isOrder, let fault = answer.doubt {
            throw CommandFailure(
                code: .unknownOutcome,
                message: "unknown whether it was or will be done (\(fault)): look with 'conclave status'"
            )
        }
        switch answer.result {
        case .success(.failure(let error)) where error.code == "CLUSTERDOWN":
            // Not done: this one knows no leader, another one may.
            last = CommandFailure(code: .errorReply, message: "\(error.code) \(error.message)")
        case .success(let reply): return reply
        case .failure(let failure): last = last ?? failure
        }
    }
    throw last ?? CommandFailure(code: .unavailable, message: "there is nobody to ask")
}

/// Asks the endpoints given, or else all members of the cluster.
private func askAll(_ options: AdminOptions, _ words: [String]) throws(CommandFailure) -> [Answer] {
    let answers = try endpoints(options).map { ask($0, words) }
    if let failure = answers.compactMap({ if case .failure(let failure) = $0.result { failure } else { nil } }).first,
        !answers.contains(where: { if case .success = $0.result { true } else { false } })
    {
        throw failure
    }
    return answers
}

private func endpoints(_ options: AdminOptions) throws(CommandFailure) -> [SocketAddress] {
    if let given = options.endpoints { return given }
    let known = try askAny(options, ["RAFT.NODE"]).elements.compactMap { member in
        member.field("client_address")?.plainText.flatMap { try? SocketAddress($0) }
    }
    return known.isEmpty ? AdminOptions.defaultEndpoints : known
}

// MARK: - Orders

/// Waits for learners to catch up, for as long as a server that has to be sent a snapshot may need.
private func insist(_ words: [String], _ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure)
    -> ExitCode
{
    let patience = Duration.seconds(60)
    let start = ContinuousClock.now
    var hasSaidSo = false
    while true {
        do throws(CommandFailure) { return try order(words, options, write) } catch {
            guard error.message.hasSuffix("\(AdminRefusal.notCaughtUp)"), ContinuousClock.now - start < patience else {
                throw error
            }
        }
        if !hasSaidSo { StandardStreams.writeError("waiting for the learner to catch up\n") }
        hasSaidSo = true
        Thread.sleep(forTimeInterval: 0.2)
    }
}

private func order(_ words: [String], _ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure)
    -> ExitCode
{
    let reply = try askAny(options, words, isOrder: true)
    guard case .failure(let error) = reply else {
        if options.json {
            var line = JSONLine()
            line.add("done", true)
            write(line.text + "\n")
        } else {
            write("done\n")
        }
        return .success
    }
    throw CommandFailure(code: .errorReply, message: "\(error.code) \(error.message)")
}

private func takeSnapshots(_ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure) -> ExitCode {
    let rows = try askAll(options, ["RAFT.SNAPSHOT"]).map { answer in
        [answer.endpoint, answer.fault == nil ? "done" : "failed", answer.fault ?? ""]
    }
    write(AdminTable(["endpoint", "snapshot", "errors"], rows).output(json: options.json))
    return rows.allSatisfy { $0[1] == "done" } ? .success : .errorReply
}

// MARK: - Questions

private func showStatus(_ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure) -> ExitCode {
    let answers = try askAll(options, ["RAFT.INFO"])
    let columns = ["endpoint", "id", "version", "size", "leader", "learner", "term", "index", "applied", "errors"]
    let rows = answers.map { answer in
        guard let info = answer.reply else {
            return [answer.endpoint] + Array(repeating: "", count: 8) + [answer.fault ?? ""]
        }
        func text(_ name: String) -> String { info.field(name)?.plainText ?? "" }
        return [
            answer.endpoint, text("node_id"), text("version"), text("log_size"),
            "\(text("role") == "leader")", "\(text("standing") == "learner")",
            text("term"), text("commit_index"), text("applied_index"), errors(in: info),
        ]
    }
    write(AdminTable(columns, rows).output(json: options.json))
    return answers.allSatisfy { $0.fault == nil } ? .success : .errorReply
}

private func errors(in info: Reply) -> String {
    (info.field("errors")?.elements ?? []).compactMap(\.plainText).joined(separator: "; ")
}

private func showMembers(_ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure) -> ExitCode {
    let reply = try askAny(options, ["RAFT.NODE"])
    if case .failure(let error) = reply {
        throw CommandFailure(code: .errorReply, message: "\(error.code) \(error.message)")
    }
    let names = ["id", "standing", "leader", "address", "client_address", "incarnation"]
    let rows = reply.elements.map { member in names.map { member.field($0)?.plainText ?? "" } }
    write(
        AdminTable(["id", "standing", "leader", "peer address", "client address", "incarnation"], rows).output(
            json: options.json
        )
    )
    return .success
}

/// A server is well if it answers and knows a leader.
private func showHealth(_ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure) -> ExitCode {
    let answers = try askAll(options, ["RAFT.INFO"])
    let rows = answers.map { answer in
        let fault = answer.fault ?? answer.reply.map(errors) ?? ""
        return [answer.endpoint, "\(fault.isEmpty)", fault]
    }
    write(AdminTable(["endpoint", "health", "errors"], rows).output(json: options.json))
    return rows.allSatisfy { $0[1] == "true" } ? .success : .errorReply
}

/// States can be compared where they are of the same index: while clients write, that takes several tries.
private func showHashes(_ options: AdminOptions, _ write: (String) -> Void) throws(CommandFailure) -> ExitCode {
    let tries = 50
    var answers: [Answer] = []
    for _ in 0..<tries {
        answers = try askAll(options, ["RAFT.HASH"])
        if Set(answers.compactMap { $0.reply?.field("index") }).count <= 1 { break }
    }
    let rows = answers.map { answer in
        let names = ["index", "term", "hash"]
        return [answer.endpoint] + names.map { answer.reply?.field($0)?.plainText ?? "" } + [answer.fault ?? ""]
    }
    write(AdminTable(["endpoint", "index", "term", "hash", "errors"], rows).output(json: options.json))
    var hashes: [String: Set<String>] = [:]
    for row in rows where !row[1].isEmpty { hashes[row[1], default: []].insert(row[3]) }
    if hashes.values.contains(where: { $0.count > 1 }) {
        throw CommandFailure(code: .errorReply, message: "the servers have different states at the same index")
    }
    if hashes.count > 1 {
        throw CommandFailure(
            code: .errorReply,
            message: "the servers are at different indexes: ask again while fewer commands are written"
        )
    }
    return answers.allSatisfy { $0.fault == nil } ? .success : .errorReply
}
