import Dispatch
import RaftCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Does what a `ClusterLauncher` decides, and tells it what happens.
///
/// One task runs the loop and owns everything here. Children, timers and signals only put events into the stream.
struct ClusterShell {
    /// A line of a server's standard output beyond this is dropped; ours are about a hundred bytes long.
    private static let longestLineBytes = 4096
    /// A log longer than this begins anew when its server starts; the one before is kept as `log.old`.
    private static let longestLogBytes: Int64 = 16 << 20

    /// What arrives from other threads.
    private enum Occurrence: Sendable {
        case event(LauncherEvent)
        /// The child has ended and waits to be reaped.
        case childEnded(NodeID)
    }

    private let plan: ClusterPlan
    private var launcher: ClusterLauncher
    private var display: ClusterDisplay
    private var children: [NodeID: ChildProcess] = [:]
    private let occurrences: AsyncStream<Occurrence>
    private let source: AsyncStream<Occurrence>.Continuation
    private let start = ContinuousClock.now

    init(_ plan: ClusterPlan, options: ClusterOptions) {
        self.plan = plan
        launcher = ClusterLauncher(plan)
        display = ClusterDisplay(plan, options: options)
        (occurrences, source) = AsyncStream.makeStream()
    }

    /// Runs until the launcher says that it is over.
    consuming func run() async -> ExitCode {
        let signals = Self.watchSignals(source)
        defer { signals.forEach { $0.cancel() } }
        display.begin()
        source.yield(.event(.begin))
        for await occurrence in occurrences {
            let event =
                switch occurrence {
                case .event(let event): event
                case .childEnded(let id): LauncherEvent.exited(id, reap(id))
                }
            if let code = handle(event) { return code }
        }
        preconditionFailure("the event stream ended before the launcher did")
    }

    /// - Returns: the code to end with, if this was the last event.
    private mutating func handle(_ event: LauncherEvent) -> ExitCode? {
        // The answers to our own actions come before whatever waits in the stream.
        var queue = [event]
        while !queue.isEmpty {
            let next = queue.removeFirst()
            for action in launcher.handle(next, at: ContinuousClock.now - start) {
                if case .exit(let code) = action {
                    _ = display.show(ClusterTable(rows: launcher.rows))
                    return code
                }
                if let answer = perform(action) { queue.append(answer) }
            }
        }
        if !display.show(ClusterTable(rows: launcher.rows)) { source.yield(.event(.outputClosed)) }
        return nil
    }

    private mutating func perform(_ action: LauncherAction) -> LauncherEvent? {
        switch action {
        case .spawn(let id):
            return spawn(server(id))
        case .writeProcessID(let id, let pid):
            return writeProcessID(pid, of: server(id))
        case .removeProcessID(let id):
            unlink(server(id).pidFile)
        case .terminate(let pid):
            kill(pid, SIGTERM)
        case .kill(let pid):
            kill(pid, SIGKILL)
        case .schedule(let timer, let delay):
            let source = source
            DispatchQueue.global().asyncAfter(deadline: .now() + delay.dispatchInterval) {
                source.yield(.event(.timerFired(timer)))
            }
        case .announce(let announcement):
            if !display.announce(announcement) { return .outputClosed }
        case .exit:
            preconditionFailure("the caller handles exit")
        }
        return nil
    }

    private func server(_ id: NodeID) -> ServerPlan {
        guard let server = plan.servers.first(where: { $0.id == id }) else {
            preconditionFailure("server \(id) is not in the plan")
        }
        return server
    }

    // MARK: Children

    private mutating func spawn(_ server: ServerPlan) -> LauncherEvent {
        var status = stat()
        if stat(server.logFile, &status) == 0, status.st_size > Self.longestLogBytes {
            rename(server.logFile, "\(server.logFile).old")
        }
        do {
            let child = try ChildProcess.start(arguments: plan.arguments(for: server), logFile: server.logFile)
            children[server.id] = child
            follow(child, id: server.id)
            return .spawned(server.id, pid: child.pid)
        } catch {
            return .spawnFailed(server.id, reason: error.message)
        }
    }

    /// A pid file that cannot be written is worth a word, not a dead cluster.
    private mutating func writeProcessID(_ pid: Int32, of server: ServerPlan) -> LauncherEvent? {
        do throws(CommandFailure) {
            try replaceFile(
                directory: server.directory,
                name: "pid",
                temporaryName: "pid.new",
                content: Array("\(pid)\n".utf8),
                durably: false
            )
        } catch {
            if !display.announce(.error(error.message)) { return .outputClosed }
        }
        return nil
    }

    /// Reads the child's lines on a thread of their own until it closes its output, then waits for its end.
    ///
    /// It is left as a zombie, so that its pid stays its own until the loop has taken note.
    private func follow(_ child: ChildProcess, id: NodeID) {
        let source = source
        DispatchQueue(label: "conclave.child-\(id.rawValue)").async {
            var lines = LineBuffer(longestLineBytes: Self.longestLineBytes)
            var buffer = [UInt8](repeating: 0, count: Self.longestLineBytes)
            while true {
                let count = read(child.output, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                guard count > 0 else { break }
                for line in lines.append(buffer[..<count]) { source.yield(.event(.wrote(id, line: line))) }
            }
            var info = siginfo_t()
            while waitid(P_PID, id_t(child.pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
            source.yield(.childEnded(id))
        }
    }

    /// Takes note of a child's end and gives its pid and descriptors back.
    private mutating func reap(_ id: NodeID) -> ChildExit {
        guard let child = children.removeValue(forKey: id) else {
            preconditionFailure("server \(id) ended without having been started")
        }
        var status: Int32 = 0
        while waitpid(child.pid, &status, 0) < 0 && errno == EINTR {}
        close(child.output)
        close(child.lifeline)
        return ChildExit(waitStatus: status)
    }

    // MARK: Signals

    private static func watchSignals(
        _ source: AsyncStream<Occurrence>.Continuation
    ) -> [any DispatchSourceSignal] {
        [SIGINT, SIGTERM, SIGHUP].map { number in
            signal(number, SIG_IGN)
            let watch = DispatchSource.makeSignalSource(signal: number, queue: .global())
            watch.setEventHandler { source.yield(.event(.stopRequested)) }
            watch.activate()
            return watch
        }
    }
}

extension Duration {
    /// Whole microseconds, which is finer than any timer here needs.
    fileprivate var dispatchInterval: DispatchTimeInterval {
        .microseconds(Int(components.seconds) * 1_000_000 + Int(components.attoseconds / 1_000_000_000_000))
    }
}
