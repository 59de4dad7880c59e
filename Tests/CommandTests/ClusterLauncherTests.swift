import RaftCore
import Testing

@testable import ConclaveCommand

@Suite("The launcher's decisions")
struct ClusterLauncherTests {
    private let one = NodeID(1)
    private let two = NodeID(2)

    private func role(_ id: NodeID, _ role: ServerRole, term: UInt64) -> LauncherEvent {
        .wrote(id, line: NodeEvent.role(id: id, role: role, term: Term(term), leader: nil).jsonLine)
    }

    private func ready(_ id: NodeID) -> LauncherEvent {
        .wrote(id, line: NodeEvent.ready(id: id, clientPort: 7001, peerPort: 7101).jsonLine)
    }

    /// Two servers with pids 11 and 12, both listening since time zero.
    private func running() -> ClusterLauncher {
        var launcher = ClusterLauncher(ClusterPlan(ClusterOptions(nodes: 2), clusterID: .unnamed))
        #expect(launcher.handle(.begin, at: .zero) == [.spawn(one), .spawn(two)])
        for (id, pid) in [(one, Int32(11)), (two, 12)] {
            _ = launcher.handle(.spawned(id, pid: pid), at: .zero)
            #expect(launcher.handle(ready(id), at: .zero) == [.announce(.nodeReady(id: id))])
        }
        return launcher
    }

    @Test("a started server gets its pid file and is announced with its ports")
    func started() {
        var launcher = ClusterLauncher(ClusterPlan(ClusterOptions(nodes: 2), clusterID: .unnamed))
        _ = launcher.handle(.begin, at: .zero)
        #expect(
            launcher.handle(.spawned(two, pid: 12), at: .zero) == [
                .writeProcessID(two, pid: 12),
                .announce(.nodeStarted(id: two, pid: 12, clientPort: 7002, peerPort: 7102)),
            ]
        )
        #expect(launcher.rows.map(\.state) == ["starting", "starting"])
    }

    @Test("the cluster is ready once, when all listen and one leads")
    func clusterReady() {
        var launcher = ClusterLauncher(ClusterPlan(ClusterOptions(nodes: 2), clusterID: .unnamed))
        _ = launcher.handle(.begin, at: .zero)
        _ = launcher.handle(.spawned(one, pid: 11), at: .zero)
        _ = launcher.handle(.spawned(two, pid: 12), at: .zero)
        _ = launcher.handle(ready(one), at: .zero)
        #expect(
            launcher.handle(role(one, .leader, term: 1), at: .zero) == [.announce(.leader(id: one, term: Term(1)))]
        )
        #expect(
            launcher.handle(ready(two), at: .zero) == [.announce(.nodeReady(id: two)), .announce(.clusterReady)]
        )
        #expect(
            launcher.handle(role(two, .leader, term: 2), at: .zero) == [.announce(.leader(id: two, term: Term(2)))]
        )
    }

    @Test("only a leader of a higher term than any before is announced")
    func leaderTerms() {
        var launcher = running()
        #expect(launcher.handle(role(one, .leader, term: 3), at: .zero).contains(.announce(.clusterReady)))
        #expect(launcher.handle(role(one, .leader, term: 3), at: .zero) == [])
        #expect(launcher.handle(role(two, .leader, term: 2), at: .zero) == [])
        #expect(launcher.handle(role(two, .leader, term: 3), at: .zero) == [])
        #expect(
            launcher.handle(role(two, .leader, term: 4), at: .zero) == [.announce(.leader(id: two, term: Term(4)))]
        )
    }

    @Test("another role is announced when it changes, not with each term")
    func otherRoles() {
        var launcher = running()
        let follows = LauncherAction.announce(.roleChanged(id: one, role: .follower, term: Term(1)))
        #expect(launcher.handle(role(one, .follower, term: 1), at: .zero) == [follows])
        #expect(launcher.handle(role(one, .follower, term: 2), at: .zero) == [])
        #expect(launcher.rows[0].term == "2")
    }

    @Test(
        "lines that are no events are ignored",
        arguments: ["", "hello", "{}", "{\"event\":\"new\",\"id\":1}", "[1]"]
    )
    func strangeLines(line: String) {
        var launcher = running()
        let before = launcher.rows
        #expect(launcher.handle(.wrote(one, line: line), at: .zero) == [])
        #expect(launcher.rows == before)
    }

    @Test("a dead server is started again, after twice the time at each death in a row")
    func backoff() {
        var launcher = running()
        for (tenths, pid) in zip([1, 2, 4, 8, 16, 32, 50, 50], Int32(11)...) {
            let delay = Duration.milliseconds(tenths * 100)
            #expect(
                launcher.handle(.exited(one, .signal(9)), at: .zero) == [
                    .removeProcessID(one),
                    .announce(.nodeExited(id: one, pid: pid, status: .signal(9), restartIn: delay)),
                    .schedule(.restart(one), after: delay),
                ]
            )
            #expect(launcher.rows[0].state == "restarting in \(delay.secondsText) s")
            #expect(launcher.handle(.timerFired(.restart(one)), at: .zero) == [.spawn(one)])
            _ = launcher.handle(.spawned(one, pid: pid + 1), at: .zero)
        }
    }

    @Test("a server that lived for ten seconds starts from the shortest wait again")
    func backoffResets() {
        var backoff = RestartBackoff()
        #expect(backoff.delay(afterLifetime: .zero) == .milliseconds(100))
        #expect(backoff.delay(afterLifetime: .milliseconds(9_999)) == .milliseconds(200))
        #expect(backoff.delay(afterLifetime: .seconds(10)) == .milliseconds(100))
        #expect(backoff.delay(afterLifetime: .zero) == .milliseconds(200))
    }

    @Test("a server that the system refuses to start is tried again later")
    func spawnFails() {
        var launcher = ClusterLauncher(ClusterPlan(ClusterOptions(nodes: 1), clusterID: .unnamed))
        _ = launcher.handle(.begin, at: .zero)
        #expect(
            launcher.handle(.spawnFailed(one, reason: "no memory"), at: .zero) == [
                .announce(.error("server 1 cannot be started: no memory")),
                .schedule(.restart(one), after: .milliseconds(100)),
            ]
        )
        #expect(launcher.handle(.timerFired(.restart(one)), at: .zero) == [.spawn(one)])
    }

    @Test("a server whose arguments or data are wrong is not started again", arguments: [Int32(64), 65])
    func permanentFailure(code: Int32) {
        var launcher = running()
        let actions = launcher.handle(.exited(one, .code(code)), at: .zero)
        #expect(
            actions.contains(.announce(.nodeExited(id: one, pid: 11, status: .code(code), restartIn: nil)))
        )
        #expect(!actions.contains { if case .schedule = $0 { true } else { false } })
        #expect(launcher.rows[0].state == "failed (exit code \(code))")
        let last = launcher.handle(.exited(two, .code(code)), at: .zero)
        #expect(last.last == .exit(ExitCode(rawValue: code)!))
    }

    @Test("a server that somebody stopped in order is started again too", arguments: [Int32(0), 69, 70, 74])
    func otherCodes(code: Int32) {
        var launcher = running()
        let actions = launcher.handle(.exited(one, .code(code)), at: .zero)
        #expect(actions.last == .schedule(.restart(one), after: .milliseconds(100)))
    }

    @Test("stopping asks each server to stop, and ends with success when all have")
    func stops() {
        var launcher = running()
        #expect(
            launcher.handle(.stopRequested, at: .zero) == [
                .announce(.stopping), .terminate(pid: 11), .terminate(pid: 12),
                .schedule(.stopPatience, after: .seconds(5)),
            ]
        )
        #expect(
            launcher.handle(.exited(two, .code(0)), at: .zero) == [
                .removeProcessID(two), .announce(.nodeExited(id: two, pid: 12, status: .code(0), restartIn: nil)),
            ]
        )
        #expect(
            launcher.handle(.exited(one, .code(0)), at: .zero).suffix(2) == [.announce(.stopped), .exit(.success)]
        )
        #expect(launcher.handle(.timerFired(.stopPatience), at: .zero) == [])
    }

    @Test("a server that waits for its restart is not started while stopping")
    func stopDuringRestart() {
        var launcher = running()
        _ = launcher.handle(.exited(one, .signal(9)), at: .zero)
        _ = launcher.handle(.stopRequested, at: .zero)
        #expect(launcher.handle(.timerFired(.restart(one)), at: .zero) == [])
        #expect(launcher.handle(.exited(two, .code(0)), at: .zero).last == .exit(.success))
    }

    @Test("stopping with no server alive ends at once")
    func stopWithNoneAlive() {
        var launcher = running()
        _ = launcher.handle(.exited(one, .signal(9)), at: .zero)
        _ = launcher.handle(.exited(two, .signal(9)), at: .zero)
        #expect(launcher.handle(.stopRequested, at: .zero).suffix(2) == [.announce(.stopped), .exit(.success)])
    }

    @Test("a server that does not stop in time is killed, and only that one")
    func stopPatience() {
        var launcher = running()
        _ = launcher.handle(.stopRequested, at: .zero)
        _ = launcher.handle(.exited(one, .code(0)), at: .zero)
        #expect(
            launcher.handle(.timerFired(.stopPatience), at: .seconds(5)) == [
                .announce(.error("not stopped within 5 s, killing: server 2")), .kill(pid: 12),
                .schedule(.killPatience, after: .seconds(5)),
            ]
        )
        #expect(launcher.handle(.exited(two, .signal(9)), at: .seconds(5)).last == .exit(.success))
    }

    @Test("a second Ctrl-C kills at once, a third changes nothing")
    func secondStop() {
        var launcher = running()
        _ = launcher.handle(.stopRequested, at: .zero)
        #expect(launcher.handle(.stopRequested, at: .seconds(1)).prefix(2) == [.kill(pid: 11), .kill(pid: 12)])
        #expect(launcher.handle(.stopRequested, at: .seconds(2)) == [])
        #expect(launcher.handle(.timerFired(.stopPatience), at: .seconds(5)) == [])
    }

    @Test("one signal that arrives twice at once is no second Ctrl-C")
    func echoedStop() {
        var launcher = running()
        _ = launcher.handle(.stopRequested, at: .zero)
        #expect(launcher.handle(.stopRequested, at: .milliseconds(499)) == [])
        #expect(launcher.handle(.stopRequested, at: .milliseconds(500)).first == .kill(pid: 11))
    }

    @Test("processes that survive SIGKILL do not hold the launcher for ever")
    func killPatience() {
        var launcher = running()
        _ = launcher.handle(.stopRequested, at: .zero)
        _ = launcher.handle(.stopRequested, at: .seconds(1))
        #expect(launcher.handle(.timerFired(.killPatience), at: .zero).last == .exit(.software))
        #expect(launcher.handle(.exited(one, .signal(9)), at: .zero) == [])
    }

    @Test("a closed output stops the cluster in order; writing to it again does not hurry")
    func outputClosed() {
        var launcher = running()
        #expect(launcher.handle(.outputClosed, at: .zero).contains(.terminate(pid: 11)))
        #expect(launcher.handle(.outputClosed, at: .zero) == [])
    }
}
