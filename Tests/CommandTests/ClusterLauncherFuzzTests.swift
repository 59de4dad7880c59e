import ConclaveSimulation
import RaftCore
import Testing

@testable import ConclaveCommand

/// A machine of pretended processes around a launcher: whatever happens to them, the rules hold.
private struct PretendedMachine {
    var launcher: ClusterLauncher
    var alive: [NodeID: Int32] = [:]
    var timers: [LauncherTimer] = []
    var pidFiles: [NodeID: Int32] = [:]
    var nextPID: Int32 = 100
    var exitCode: ExitCode?
    var isStopping = false
    var spawnRefusals: Double
    var generator: SimulationRandom

    mutating func deliver(_ event: LauncherEvent, at now: Duration) {
        var queue = [event]
        while !queue.isEmpty {
            let actions = launcher.handle(queue.removeFirst(), at: now)
            #expect(exitCode == nil || actions.isEmpty, "something is done after the end")
            for action in actions { perform(action, answers: &queue) }
        }
    }

    private mutating func perform(_ action: LauncherAction, answers: inout [LauncherEvent]) {
        switch action {
        case .spawn(let id):
            #expect(alive[id] == nil, "\(id) runs twice")
            #expect(!isStopping, "\(id) is started while stopping")
            if Double.random(in: 0..<1, using: &generator) < spawnRefusals {
                answers.append(.spawnFailed(id, reason: "refused"))
            } else {
                nextPID += 1
                alive[id] = nextPID
                answers.append(.spawned(id, pid: nextPID))
            }
        case .writeProcessID(let id, let pid): pidFiles[id] = pid
        case .removeProcessID(let id): pidFiles[id] = nil
        case .terminate(let pid), .kill(let pid):
            #expect(alive.values.contains(pid), "pid \(pid) is signalled and is not ours any more")
        case .schedule(let timer, let delay):
            #expect(delay > .zero && delay <= .seconds(5))
            timers.append(timer)
        case .announce(.stopping): isStopping = true
        case .announce: break
        case .exit(let code): exitCode = code
        }
        #expect(pidFiles.allSatisfy { alive[$0.key] == $0.value })
    }

    mutating func randomEvent() -> LauncherEvent? {
        let ids = launcher.servers.map(\.plan.id)
        let living = ids.filter { alive[$0] != nil }
        switch Int.random(in: 0..<20, using: &generator) {
        case 0..<6:
            guard let id = living.randomElement(using: &generator) else { return nil }
            let role: ServerRole = [.leader, .follower, .candidate].randomElement(using: &generator)!
            let term = Term(UInt64.random(in: 0..<20, using: &generator))
            return .wrote(id, line: NodeEvent.role(id: id, role: role, term: term, leader: nil).jsonLine)
        case 6..<9:
            guard let id = living.randomElement(using: &generator) else { return nil }
            return .wrote(id, line: NodeEvent.ready(id: id, clientPort: 1, peerPort: 2).jsonLine)
        case 9..<13:
            guard let id = living.randomElement(using: &generator) else { return nil }
            alive[id] = nil
            let codes: [ChildExit] = [.signal(9), .code(0), .code(65), .code(69), .code(70)]
            return .exited(id, codes.randomElement(using: &generator)!)
        case 13..<19:
            guard !timers.isEmpty else { return nil }
            return .timerFired(timers.remove(at: Int.random(in: 0..<timers.count, using: &generator)))
        default:
            return Bool.random(using: &generator) ? .stopRequested : .outputClosed
        }
    }
}

@Suite("The launcher under random events")
struct ClusterLauncherFuzzTests {
    @Test("no server runs twice, no stranger is signalled, and a stop always comes to its end")
    func randomEvents() {
        let run = SeededRun("LAUNCHER_SEED", test: "CommandTests.ClusterLauncherFuzzTests")
        var generator = run.generator
        for _ in 0..<500 {
            let nodes = Int.random(in: 1...5, using: &generator)
            var machine = PretendedMachine(
                launcher: ClusterLauncher(ClusterPlan(ClusterOptions(nodes: nodes), clusterID: .unnamed)),
                spawnRefusals: Double.random(in: 0...0.3, using: &generator),
                generator: SimulationRandom(seed: generator.next())
            )
            var now = Duration.zero
            machine.deliver(.begin, at: now)
            for _ in 0..<200 where machine.exitCode == nil {
                now += .milliseconds(Int.random(in: 0...4000, using: &generator))
                if let event = machine.randomEvent() { machine.deliver(event, at: now) }
            }
            machine.deliver(.stopRequested, at: now)
            for id in machine.launcher.servers.map(\.plan.id) where machine.alive[id] != nil {
                machine.alive[id] = nil
                machine.deliver(.exited(id, .signal(9)), at: now)
            }
            #expect(machine.exitCode != nil, "a stop that does not end, seed \(run.seed)")
        }
    }
}
