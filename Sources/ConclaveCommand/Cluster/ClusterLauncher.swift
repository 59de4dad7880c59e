import RaftCore

/// Keeps the servers of a plan running: decides, and leaves the doing to a shell.
///
/// Time comes with each event, as the time since some fixed instant.
struct ClusterLauncher {
    /// How long servers may take to stop before they are killed, and then how long the kernel may take to end them.
    static let stopPatience = Duration.seconds(5)
    /// A second request this soon is the first one, delivered twice: `timeout` and others signal both a process and its
    /// group. Nobody presses Ctrl-C twice that fast.
    static let stopEcho = Duration.milliseconds(500)

    /// The life of one server's process.
    enum ServerState: Equatable {
        /// No process yet, or the shell is about to answer `spawn`.
        case notStarted
        /// The process runs and has not said that it listens.
        case starting(pid: Int32, since: Duration)
        /// It listens.
        case running(pid: Int32, since: Duration)
        /// It died; a timer runs.
        case restarting(after: Duration)
        /// It ended in a way that a restart cannot mend.
        case failed(ChildExit)
        /// It ended while we were stopping.
        case stopped

        var pid: Int32? {
            switch self {
            case .starting(let pid, _), .running(let pid, _): pid
            case .notStarted, .restarting, .failed, .stopped: nil
            }
        }

        var startedAt: Duration? {
            switch self {
            case .starting(_, let since), .running(_, let since): since
            case .notStarted, .restarting, .failed, .stopped: nil
            }
        }
    }

    struct Server: Equatable {
        let plan: ServerPlan
        var state = ServerState.notStarted
        /// What the running process last said of itself; nil before it said anything.
        var role: ServerRole?
        var term: Term?
        var backoff = RestartBackoff()
    }

    private enum Phase: Equatable {
        case serving
        /// SIGTERM went out, or there was nobody to send it to.
        case stopping(since: Duration)
        /// SIGKILL went out.
        case killing
        /// `exit` was returned; later events mean nothing.
        case over
    }

    /// In the order of the plan.
    private(set) var servers: [Server]
    private var phase = Phase.serving
    /// Invariant: the highest term in which a server said that it leads.
    private var leaderTerm = Term.zero
    private var announcedReady = false

    init(_ plan: ClusterPlan) { servers = plan.servers.map { Server(plan: $0) } }

    /// The rows of the table, as they are now.
    var rows: [ClusterTable.Row] { servers.map(ClusterTable.Row.init) }

    mutating func handle(_ event: LauncherEvent, at now: Duration) -> [LauncherAction] {
        guard phase != .over else { return [] }
        switch event {
        case .begin: return servers.map { .spawn($0.plan.id) }
        case .spawned(let id, let pid): return spawned(index(of: id), pid: pid, at: now)
        case .spawnFailed(let id, let reason): return spawnFailed(index(of: id), reason: reason)
        case .wrote(let id, let line): return NodeEvent(jsonLine: line).map { heard($0, from: index(of: id)) } ?? []
        case .exited(let id, let status): return exited(index(of: id), status, at: now)
        case .timerFired(.restart(let id)): return restart(index(of: id))
        case .timerFired(.stopPatience): return stopPatienceEnded()
        case .timerFired(.killPatience): return killPatienceEnded()
        case .stopRequested: return stopRequested(at: now)
        case .outputClosed: return phase == .serving ? stopRequested(at: now) : []
        }
    }

    private func index(of id: NodeID) -> Int {
        guard let index = servers.firstIndex(where: { $0.plan.id == id }) else {
            preconditionFailure("an event of server \(id), which is not in the plan")
        }
        return index
    }

    // MARK: Starting

    private mutating func spawned(_ index: Int, pid: Int32, at now: Duration) -> [LauncherAction] {
        let plan = servers[index].plan
        servers[index].state = .starting(pid: pid, since: now)
        return [
            .writeProcessID(plan.id, pid: pid),
            .announce(.nodeStarted(id: plan.id, pid: pid, clientPort: plan.clientPort, peerPort: plan.peerPort)),
        ]
    }

    private mutating func spawnFailed(_ index: Int, reason: String) -> [LauncherAction] {
        let id = servers[index].plan.id
        let delay = servers[index].backoff.delay(afterLifetime: .zero)
        servers[index].state = .restarting(after: delay)
        return [
            .announce(.error("server \(id.rawValue) cannot be started: \(reason)")),
            .schedule(.restart(id), after: delay),
        ]
    }

    private mutating func restart(_ index: Int) -> [LauncherAction] {
        guard phase == .serving, case .restarting = servers[index].state else { return [] }
        servers[index].state = .notStarted
        return [.spawn(servers[index].plan.id)]
    }

    // MARK: What servers say

    private mutating func heard(_ event: NodeEvent, from index: Int) -> [LauncherAction] {
        var actions: [LauncherAction] = []
        let id = servers[index].plan.id
        switch event {
        case .standing: return []
        case .ready:
            guard case .starting(let pid, let since) = servers[index].state else { return [] }
            servers[index].state = .running(pid: pid, since: since)
            actions.append(.announce(.nodeReady(id: id)))
        case .role(_, let role, let term, _):
            let changed = servers[index].role != role
            servers[index].role = role
            servers[index].term = term
            if role == .leader {
                if term > leaderTerm {
                    leaderTerm = term
                    actions.append(.announce(.leader(id: id, term: term)))
                }
            } else if changed {
                actions.append(.announce(.roleChanged(id: id, role: role, term: term)))
            }
        case .quarantined(_, let entries):
            actions.append(.announce(.nodeQuarantined(id: id, entries: entries)))
        case .repaired:
            actions.append(.announce(.nodeRepaired(id: id)))
        }
        if phase == .serving, !announcedReady, isReady {
            announcedReady = true
            actions.append(.announce(.clusterReady))
        }
        return actions
    }

    private var isReady: Bool {
        servers.contains { $0.role == .leader }
            && servers.allSatisfy { if case .running = $0.state { true } else { false } }
    }

    // MARK: Dying

    private mutating func exited(_ index: Int, _ status: ChildExit, at now: Duration) -> [LauncherAction] {
        guard let pid = servers[index].state.pid, let startedAt = servers[index].state.startedAt else {
            preconditionFailure("server \(servers[index].plan.id) exited in state \(servers[index].state)")
        }
        servers[index].role = nil
        servers[index].term = nil
        let plan = servers[index].plan
        var actions = [LauncherAction.removeProcessID(plan.id)]
        guard phase == .serving else {
            servers[index].state = .stopped
            actions.append(.announce(.nodeExited(id: plan.id, pid: pid, status: status, restartIn: nil)))
            return actions + exitWhenAllAreGone()
        }
        if status.isPermanent {
            servers[index].state = .failed(status)
            actions += [
                .announce(.nodeExited(id: plan.id, pid: pid, status: status, restartIn: nil)),
                .announce(.error("server \(plan.id.rawValue) \(status.description); the reason is in \(plan.logFile)")),
            ]
            return actions + giveUpWhenAllHaveFailed()
        }
        let delay = servers[index].backoff.delay(afterLifetime: now - startedAt)
        servers[index].state = .restarting(after: delay)
        actions += [
            .announce(.nodeExited(id: plan.id, pid: pid, status: status, restartIn: delay)),
            .schedule(.restart(plan.id), after: delay),
        ]
        return actions
    }

    private mutating func giveUpWhenAllHaveFailed() -> [LauncherAction] {
        let codes = servers.compactMap { server -> ExitCode? in
            guard case .failed(.code(let code)) = server.state else { return nil }
            return ExitCode(rawValue: code)
        }
        guard codes.count == servers.count, let first = codes.first else { return [] }
        phase = .over
        return [.announce(.error("no server is left")), .exit(first)]
    }

    // MARK: Stopping

    private mutating func stopRequested(at now: Duration) -> [LauncherAction] {
        switch phase {
        case .serving:
            phase = .stopping(since: now)
            var actions: [LauncherAction] = [.announce(.stopping)]
            for index in servers.indices {
                if let pid = servers[index].state.pid {
                    actions.append(.terminate(pid: pid))
                } else {
                    servers[index].state = .stopped
                }
            }
            actions.append(.schedule(.stopPatience, after: Self.stopPatience))
            return actions + exitWhenAllAreGone()
        case .stopping(let since):
            return now - since < Self.stopEcho ? [] : killTheRest()
        case .killing, .over:
            return []
        }
    }

    private mutating func stopPatienceEnded() -> [LauncherAction] {
        guard case .stopping = phase else { return [] }
        let slow = servers.filter { $0.state.pid != nil }.map { String($0.plan.id.rawValue) }.joined(separator: ", ")
        let message = "not stopped within \(Self.stopPatience.secondsText) s, killing: server \(slow)"
        return [.announce(.error(message))] + killTheRest()
    }

    private mutating func killTheRest() -> [LauncherAction] {
        phase = .killing
        return servers.compactMap(\.state.pid).map { .kill(pid: $0) }
            + [.schedule(.killPatience, after: Self.stopPatience)]
    }

    private mutating func killPatienceEnded() -> [LauncherAction] {
        guard phase == .killing else { return [] }
        phase = .over
        let left = servers.compactMap(\.state.pid).map(String.init).joined(separator: ", ")
        return [.announce(.error("these processes do not end even when killed: \(left)")), .exit(.software)]
    }

    private mutating func exitWhenAllAreGone() -> [LauncherAction] {
        guard servers.allSatisfy({ $0.state.pid == nil }) else { return [] }
        phase = .over
        return [.announce(.stopped), .exit(.success)]
    }
}
