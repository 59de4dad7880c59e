import Conclave

/// One actor of a random supervision tree.
struct TreeNode: Sendable {
    enum Kind: Sendable {
        case leaf
        indirect case supervisor(SupervisionStrategy, RestartIntensity, AutoShutdown, [TreeNode])
    }
    var name: String
    var restart: RestartType
    var isSignificant = false
    var isKilledOnStop = false
    var kind: Kind

    var children: [TreeNode] {
        if case .supervisor(_, _, _, let children) = kind { children } else { [] }
    }

    /// All names at and below.
    var names: [String] { [name] + children.flatMap(\.names) }

    /// Those whose start may fail. Below an actor that is stopped by a kill none may: while its failed start still stops its
    /// children one by one, its parent, which fails with it, kills it and them.
    var mayFail: [String] { [name] + (isKilledOnStop ? [] : children.flatMap(\.mayFail)) }

    /// A random tree. `kills`: some children are stopped by a brutal kill.
    static func random(_ name: String, depth: Int, kills: Bool, _ random: inout TestRandom) -> TreeNode {
        var node = TreeNode(
            name: name,
            restart: [.permanent, .permanent, .transient, .temporary].randomElement(using: &random)!,
            kind: .leaf
        )
        node.isKilledOnStop = kills && Int.random(in: 0..<8, using: &random) == 0
        guard depth > 0 else { return node }
        let autoShutdown: AutoShutdown = [.never, .never, .anySignificant, .allSignificant].randomElement(
            using: &random
        )!
        let children = (0..<Int.random(in: 1...4, using: &random)).map { index in
            let depth = Bool.random(using: &random) ? depth - 1 : 0
            var child = TreeNode.random("\(name).\(index)", depth: depth, kills: kills, &random)
            child.isSignificant =
                autoShutdown != .never && child.restart != .permanent && Bool.random(using: &random)
            return child
        }
        node.kind = .supervisor(
            [.oneForOne, .oneForAll, .restForOne].randomElement(using: &random)!,
            RestartIntensity(Int.random(in: 0...3, using: &random), per: .seconds(5)),
            autoShutdown,
            children
        )
        return node
    }
}

/// What OTP's supervisors do, written down as plainly as it can be: one thread, no messages, each stop and start at once.
final class SupervisionModel {
    /// A child as its supervisor keeps it, alive or not.
    final class Child {
        let node: TreeNode
        unowned let parent: Supervisor?
        var isAlive = false
        var supervisor: Supervisor?

        init(_ node: TreeNode, _ parent: Supervisor?) {
            self.node = node
            self.parent = parent
        }
    }

    final class Supervisor {
        unowned let me: Child
        var children: [Child] = []
        var restarts: [Int] = []

        init(_ me: Child) { self.me = me }
    }

    private(set) var journal: [String] = []
    /// Starts that are to fail.
    var fuses: [String: Int] = [:]
    /// Starts that are to find that there is nothing to do: OTP's `ignore`.
    var ignores: [String: Int] = [:]
    /// Seconds.
    var now = 0
    let top: Child

    init(_ tree: TreeNode) {
        top = Child(tree, nil)
        precondition(start(top), "nothing fails at first")
    }

    /// Those that are alive, parents before their children.
    var alive: [Child] {
        func below(_ child: Child) -> [Child] {
            guard child.isAlive else { return [] }
            return [child] + (child.supervisor?.children.flatMap(below) ?? [])
        }
        return below(top)
    }

    /// What a child does by itself, or what is done to it from outside.
    func end(_ child: Child, _ exit: ExitKind) {
        finish(child, exit == .failed ? "failed(Planned())" : exit.rawValue, kills: exit == .killed)
        ended(child, isAbnormal: exit.isAbnormal)
    }

    // MARK: Starting and stopping

    private func start(_ child: Child) -> Bool {
        let node = child.node
        if let fuse = fuses[node.name], fuse > 0 {
            fuses[node.name] = fuse - 1
            journal.append("!\(node.name)")
            return false
        }
        if let ignore = ignores[node.name], ignore > 0 {
            ignores[node.name] = ignore - 1
            journal += ["~\(node.name)", "-\(node.name) normal"]
            return true
        }
        journal.append("+\(node.name)")
        if case .supervisor(_, _, _, let nodes) = node.kind {
            let supervisor = Supervisor(child)
            child.supervisor = supervisor
            for node in nodes {
                let child = Child(node, supervisor)
                supervisor.children.append(child)
                guard start(child) else {
                    stopAll(supervisor, kills: false)
                    return false
                }
            }
        }
        child.isAlive = true
        return true
    }

    /// The parent's order.
    private func stop(_ child: Child, kills: Bool) {
        finish(child, "shutdown", kills: kills || child.node.isKilledOnStop)
    }

    private func finish(_ child: Child, _ reason: String, kills: Bool) {
        if let supervisor = child.supervisor { stopAll(supervisor, kills: kills) }
        child.isAlive = false
        child.supervisor = nil
        if !kills { journal.append("-\(child.node.name) \(reason)") }
    }

    private func stopAll(_ supervisor: Supervisor, kills: Bool) {
        for child in supervisor.children.reversed() where child.isAlive { stop(child, kills: kills) }
    }

    // MARK: supervisor.erl

    private func ended(_ child: Child, isAbnormal: Bool) {
        guard let supervisor = child.parent else { return }  // the root starts nothing again: see the test
        guard case .supervisor(_, _, let autoShutdown, _) = supervisor.me.node.kind else { return }
        let restarts = child.node.restart == .permanent || (child.node.restart == .transient && isAbnormal)
        if restarts { return restart(child, supervisor) }
        if child.node.restart == .temporary { supervisor.children.removeAll { $0 === child } }
        guard child.node.isSignificant else { return }
        switch autoShutdown {
        case .never: break
        case .anySignificant: giveUp(supervisor)
        case .allSignificant:
            if !supervisor.children.contains(where: { $0.node.isSignificant && $0.isAlive }) { giveUp(supervisor) }
        }
    }

    private func restart(_ failed: Child, _ supervisor: Supervisor) {
        guard case .supervisor(let strategy, let intensity, _, _) = supervisor.me.node.kind else { return }
        var failed = failed
        while true {
            supervisor.restarts.removeAll { now - $0 > Int(intensity.period.components.seconds) }
            supervisor.restarts.append(now)
            if supervisor.restarts.count > intensity.maximum { return giveUp(supervisor) }
            let position = supervisor.children.firstIndex { $0 === failed }!
            let group: [Child] =
                switch strategy {
                case .oneForOne: [failed]
                case .oneForAll: supervisor.children
                case .restForOne: Array(supervisor.children[position...])
                }
            for child in group.reversed() where child.isAlive { stop(child, kills: false) }
            supervisor.children.removeAll { child in
                child.node.restart == .temporary && group.contains { $0 === child }
            }
            guard let next = group.first(where: { $0.node.restart != .temporary && !start($0) }) else { return }
            failed = next
        }
    }

    /// It ends with shutdown, and its own parent sees to it.
    private func giveUp(_ supervisor: Supervisor) { end(supervisor.me, .shutdown) }
}
