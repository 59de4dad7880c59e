import RaftCore

/// What happens to a launcher.
enum LauncherEvent: Equatable, Sendable {
    /// The directory is ours and the ports are free.
    case begin
    /// The answer to `LauncherAction.spawn`.
    case spawned(NodeID, pid: Int32)
    /// The other answer to `LauncherAction.spawn`: the system refused.
    case spawnFailed(NodeID, reason: String)
    /// A server wrote a line to its standard output.
    case wrote(NodeID, line: String)
    /// A server's process has ended and is reaped: its pid means nothing any more.
    case exited(NodeID, ChildExit)
    case timerFired(LauncherTimer)
    /// Ctrl-C, SIGTERM or SIGHUP.
    case stopRequested
    /// Nobody reads our standard output any more.
    case outputClosed
}

/// What a launcher asked to be woken for.
enum LauncherTimer: Hashable, Sendable {
    case restart(NodeID)
    /// The servers had their time to stop in order.
    case stopPatience
    /// Even SIGKILL had its time.
    case killPatience
}

/// What the shell has to do, in this order.
enum LauncherAction: Equatable {
    /// Start the server's process and answer with `spawned` or `spawnFailed`.
    case spawn(NodeID)
    case writeProcessID(NodeID, pid: Int32)
    case removeProcessID(NodeID)
    /// Ask the process to stop (SIGTERM).
    case terminate(pid: Int32)
    /// End the process (SIGKILL).
    case kill(pid: Int32)
    case schedule(LauncherTimer, after: Duration)
    case announce(Announcement)
    /// The last action.
    case exit(ExitCode)
}
