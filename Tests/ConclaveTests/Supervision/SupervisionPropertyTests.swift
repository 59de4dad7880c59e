import Conclave
import Testing

/// Actors of a random tree, and what they note.
private final class Forest: Sendable {
    let journal = Journal<String>()
    let refs = Guarded<[String: ActorRef<Puppet.Message>]>([:])
    /// Starts that are to go otherwise than well.
    private let plans = Guarded<[Plan: Int]>([:])

    private enum Plan: Hashable { case fail(String), ignore(String) }

    func failNextStart(of name: String) { plans.withLock { $0[.fail(name), default: 0] += 1 } }

    /// The next start of `name` finds that there is nothing to do: OTP's `ignore`.
    func ignoreNextStart(of name: String) { plans.withLock { $0[.ignore(name), default: 0] += 1 } }

    private func isDue(_ plan: Plan) -> Bool {
        plans.withLock { plans in
            guard let left = plans[plan], left > 0 else { return false }
            plans[plan] = left - 1
            return true
        }
    }

    func puppet(_ node: TreeNode) -> Puppet {
        Puppet(
            journal,
            starting: { context in
                let myself = context.myself
                self.refs.withLock { $0[node.name] = myself }
                if self.isDue(.fail(node.name)) {
                    self.journal.note("!\(node.name)")
                    throw Planned()
                }
                if self.isDue(.ignore(node.name)) {
                    self.journal.note("~\(node.name)")
                    return context.stop()
                }
                self.journal.note("+\(node.name)")
                guard case .supervisor(let strategy, let intensity, let autoShutdown, let children) = node.kind else {
                    return
                }
                context.supervise(strategy, intensity: intensity, autoShutdown: autoShutdown)
                for child in children {
                    try context.spawn(child.name, options: child.options) { self.puppet(child) }
                }
            },
            stopping: { reason, _ in self.journal.note("-\(node.name) \(reason)") }
        )
    }
}

extension TreeNode {
    fileprivate var options: SpawnOptions {
        SpawnOptions(
            restart: restart,
            shutdown: isKilledOnStop ? .brutalKill : .infinite,
            isSignificant: isSignificant
        )
    }
}

@Suite(.timeLimit(.minutes(2))) struct SupervisionPropertyTests {
    @Test(
        "random trees and crashes: stops and starts are those of a plain model of OTP's supervisor, in the same order"
    )
    func matchesModel() async throws {
        var random = TestRandom.seeded("SUPERVISION_SEED")
        for tree in 0..<400 {
            if try await !run(tree: tree, &random) { return }
        }
    }

    /// False: the first difference has been reported.
    private func run(tree: Int, _ random: inout TestRandom) async throws -> Bool {
        var top = TreeNode.random("t", depth: 3, kills: true, &random)
        top.restart = .temporary
        top.isKilledOnStop = false
        let node = top
        let world = SteppedWorld()
        let forest = Forest()
        try world.system.spawn(options: SpawnOptions(shutdown: .infinite)) { forest.puppet(node) }
        let model = SupervisionModel(node)
        var steps: [String] = []
        var agrees = true
        while agrees, steps.count < 25, let victim = model.alive.randomElement(using: &random) {
            let seconds = [0, 0, 1, 3, 7].randomElement(using: &random)!
            world.advance(by: .seconds(seconds))
            model.now += seconds
            if Int.random(in: 0..<4, using: &random) == 0, let name = node.mayFail.randomElement(using: &random) {
                forest.failNextStart(of: name)
                model.fuses[name, default: 0] += 1
                steps.append("the next start of \(name) fails")
            }
            if Int.random(in: 0..<4, using: &random) == 0, let name = node.names.randomElement(using: &random) {
                forest.ignoreNextStart(of: name)
                model.ignores[name, default: 0] += 1
                steps.append("the next start of \(name) is ignored")
            }
            let exit = ExitKind.allCases.randomElement(using: &random)!
            steps.append("\(victim.node.name) \(exit) after \(seconds) s")
            let ref = forest.refs.withLock { $0[victim.node.name] }!
            model.end(victim, exit)
            exit.end(ref)
            world.settle()
            agrees = compare(model, forest, world, "tree \(tree): \(node)\n" + steps.joined(separator: "\n"))
        }
        await world.shutdown()
        forest.refs.withLock { $0 = [:] }
        #expect(world.system.liveTimerCount == 0)
        return agrees
    }

    private func compare(_ model: SupervisionModel, _ forest: Forest, _ world: SteppedWorld, _ history: String) -> Bool
    {
        let noted = forest.journal.entries
        guard noted == model.journal else {
            let common = zip(noted, model.journal).prefix { $0 == $1 }.count
            Issue.record("\(history)\nactors: \(noted.dropFirst(common))\nmodel: \(model.journal.dropFirst(common))")
            return false
        }
        // Those that are alive answer, and nobody else.
        let answers = Journal<String>()
        for (name, ref) in forest.refs.withLock({ $0 }) { ref.act { _ in answers.note(name) } }
        world.settle()
        let alive = model.alive.map(\.node.name).sorted()
        guard answers.entries.sorted() == alive else {
            Issue.record("\(history)\nalive: \(answers.entries.sorted())\nmodel: \(alive)")
            return false
        }
        return true
    }

    @Test(
        "random trees with several crashes at once: nobody runs twice, nobody without its parent, and no permanent child is missing"
    )
    func simultaneousCrashes() async throws {
        var random = TestRandom.seeded("SUPERVISION_SEED")
        for tree in 0..<300 {
            var top = TreeNode.random("t", depth: 3, kills: false, &random)
            top.restart = .temporary
            let node = top
            let world = SteppedWorld()
            let forest = Forest()
            let ref = try world.system.spawn(options: SpawnOptions(shutdown: .infinite)) { forest.puppet(node) }
            var history = "tree \(tree): \(node)"
            for _ in 0..<10 {
                world.advance(by: .seconds(Int.random(in: 0...10, using: &random)))
                for name in node.names.filter({ _ in Int.random(in: 0..<3, using: &random) == 0 }) {
                    guard let ref = forest.refs.withLock({ $0[name] }) else { continue }
                    let exit = [ExitKind.normal, .shutdown, .failed].randomElement(using: &random)!
                    exit.end(ref)
                    history += "\n\(name) \(exit)"
                    for _ in 0..<Int.random(in: 0...3, using: &random) { world.scheduler.step() }
                }
                if Bool.random(using: &random) { world.settle() } else { world.scheduler.runNewestFirst() }
                world.settle()
                check(node, running(forest, history), history)
            }
            world.system.stop(ref)
            world.settle()
            #expect(running(forest, history).isEmpty, "\(history)")
            forest.refs.withLock { $0 = [:] }
            await world.shutdown()
        }
    }

    /// Who runs, by the journal.
    private func running(_ forest: Forest, _ history: String) -> Set<String> {
        var running: Set<String> = []
        for entry in forest.journal.entries {
            let name = String(entry.dropFirst().prefix { $0 != " " })
            if entry.hasPrefix("+") {
                #expect(running.insert(name).inserted, "\(name) runs twice: \(history)")
            } else if entry.hasPrefix("-") {
                #expect(running.remove(name) != nil, "\(name) stops twice: \(history)")
            }
        }
        return running
    }

    private func check(_ node: TreeNode, _ running: Set<String>, _ history: String) {
        let isRunning = running.contains(node.name)
        for child in node.children {
            if !isRunning { #expect(!running.contains(child.name), "\(child.name) outlived its parent: \(history)") }
            if isRunning, child.restart == .permanent {
                #expect(running.contains(child.name), "\(child.name) is missing: \(history)")
            }
            check(child, running, history)
        }
    }
}
