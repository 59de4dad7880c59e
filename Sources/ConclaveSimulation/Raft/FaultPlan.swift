// What goes wrong in a run, and when: a value, drawn from the seed, that can be written down, cut short and played again.

internal import Conclave
package import RaftCore

/// One thing that goes wrong, or is mended. A `NodeID` names one of the places that the cluster was founded with: the server that
/// lives there at that time, which is another one after a replacement.
package enum Fault: Hashable, Sendable {
    // The network

    /// The network treats frames so from now on.
    case network(NetworkFaults)
    /// What one server sends another is lost, and neither sees it: one way, and half open.
    case cut(from: NodeID, to: NodeID)
    /// Everything that a server sends or is sent is lost.
    case isolate(NodeID)
    /// Only some links are left, by a shape that turns on one server.
    case shape(LinkShape, NodeID)
    /// What one server sends another takes so much longer.
    case slowLink(from: NodeID, to: NodeID, Duration)
    /// The connections between two servers close, and both see it.
    case disconnect(NodeID, NodeID)
    /// All links carry again, as fast as before.
    case heal

    // Machines and their clocks

    /// A machine stands still for so long.
    case pause(NodeID, Duration)
    /// A server's process ends; what it wrote is still there, synced or not.
    case kill(NodeID)
    /// A machine loses its power, and with it any part of what was not synced.
    case powerCut(NodeID)
    /// A server that is down starts again.
    case restart(NodeID)
    /// A machine's clock runs so many millionths too fast, or too slow.
    case clockRate(NodeID, partsPerMillion: Int)
    /// A machine's clock jumps ahead.
    case clockJump(NodeID, Duration)

    // Disks

    /// The next sync of a server's disk fails.
    case failSync(NodeID)
    /// The next write to a server's disk fails.
    case failWrite(NodeID)
    /// A server starts anew, and one of the first reads of its disk fails.
    case failRead(NodeID)
    /// Whatever a server does with its disk takes so much longer from now on.
    case slowDisk(NodeID, Duration)
    /// A server's disk does nothing for so long.
    case hangDisk(NodeID, Duration)
    /// A server's disk has no room for another file.
    case fillDisk(NodeID)
    /// It has again.
    case freeDisk(NodeID)
    /// One bit of what a server has acknowledged is wrong. It starts anew and finds it (rule P34).
    case rot(NodeID)
    /// One bit of the file that says whose data it is is wrong. The server starts anew and writes the file again.
    case rotIdentity(NodeID)
    /// One bit of a server's snapshot is wrong. Every other time it starts anew and finds it; else it finds it later, or never.
    case rotSnapshot(NodeID)
    /// A batch that a server has acknowledged, and behind which it has written others, was written to another place of its disk. It starts
    /// anew and finds what is missing there, and what was overwritten.
    case misdirectWrite(NodeID)

    // Members

    /// A machine loses all its data and starts with nothing: the others must refuse it (rule P28), and an operator replaces it.
    case wipe(NodeID)
    /// An operator adds a server and, when it votes, removes this one.
    case replace(NodeID)
    /// An operator adds two servers and, when they have caught up, has them vote and removes these two, all in one change: by joint
    /// consensus.
    case swap(NodeID, NodeID)
    /// An operator takes this server's vote, and gives it back a little later.
    case demote(NodeID)
    /// An operator asks for this server to lead.
    case transfer(to: NodeID)
}

/// Which links are left.
package enum LinkShape: String, CaseIterable, Sendable {
    /// A server, and those behind it in order up to less than half of all, are apart from the others.
    case halves
    /// A server is the only link between two halves.
    case bridge
    /// Each server reaches the one before it and the one behind it, beginning with one.
    case chain
    /// All reach one server only, and it reaches all.
    case hub

    /// Whether two of `count` servers still reach each other, by their places behind the one that the shape turns on.
    func joins(_ one: Int, _ other: Int, of count: Int) -> Bool {
        let (near, far) = (min(one, other), max(one, other))
        switch self {
        case .halves: return near >= (count - 1) / 2 || far < (count - 1) / 2
        case .bridge: return near == 0 || near > (count - 1) / 2 || far <= (count - 1) / 2
        case .chain: return far == near + 1
        case .hub: return near == 0
        }
    }
}

/// The faults of a run, in the order of their times since its start.
package struct FaultPlan: Hashable, Sendable {
    /// A fault and its time.
    package struct Step: Hashable, Sendable {
        package var time: Duration
        package var fault: Fault

        /// A fault at its time.
        package init(time: Duration, fault: Fault) {
            self.time = time
            self.fault = fault
        }
    }

    package var steps: [Step]

    package init(_ steps: [Step] = []) { self.steps = steps }

    /// Draws a plan up to `end`. The knobs of the run are drawn first, so that some runs see hardly any of one kind and others little
    /// else.
    package init(
        _ profile: FaultProfile,
        nodes: [NodeID],
        until end: Duration,
        using random: inout SimulationRandom
    ) {
        self.init(FaultKnobs(profile, using: &random), nodes: nodes, until: end, using: &random)
    }

    /// Draws a plan up to `end` by these knobs.
    package init(
        _ knobs: FaultKnobs,
        nodes: [NodeID],
        until end: Duration,
        using random: inout SimulationRandom
    ) {
        steps = []
        if knobs.weights[.network] != nil { steps.append(Step(time: .zero, fault: .network(.swarm(using: &random)))) }
        let kinds = FaultKind.allCases.flatMap { Array(repeating: $0, count: knobs.weights[$0] ?? 0) }
        guard !kinds.isEmpty else { return }
        var time = Duration.zero
        while true {
            time += knobs.interval.draw(&random)
            guard time < end else { return }
            let kind = kinds.randomElement(using: &random) ?? .heal
            steps.append(Step(time: time, fault: Self.draw(kind, knobs, nodes, using: &random)))
        }
    }

    private static func draw(
        _ kind: FaultKind,
        _ knobs: FaultKnobs,
        _ nodes: [NodeID],
        using random: inout SimulationRandom
    ) -> Fault {
        let node = nodes.randomElement(using: &random) ?? nodes[0]
        let other = nodes.filter { $0 != node }.randomElement(using: &random) ?? node
        switch kind {
        case .network: return .network(.swarm(using: &random))
        case .cut: return .cut(from: node, to: other)
        case .isolate: return .isolate(node)
        case .shape: return .shape(LinkShape.allCases.randomElement(using: &random) ?? .hub, node)
        case .slowLink: return .slowLink(from: node, to: other, knobs.slowLink.draw(&random))
        case .disconnect: return .disconnect(node, other)
        case .heal: return .heal
        case .pause: return .pause(node, knobs.pause.draw(&random))
        case .kill: return .kill(node)
        case .powerCut: return .powerCut(node)
        case .restart: return .restart(node)
        case .clockRate:
            return .clockRate(node, partsPerMillion: Int.random(in: knobs.clockRate, using: &random))
        case .clockJump: return .clockJump(node, knobs.clockJump.draw(&random))
        case .failSync: return .failSync(node)
        case .failWrite: return .failWrite(node)
        case .failRead: return .failRead(node)
        case .slowDisk: return .slowDisk(node, knobs.slowDisk.draw(&random))
        case .hangDisk: return .hangDisk(node, knobs.hangDisk.draw(&random))
        case .fillDisk: return .fillDisk(node)
        case .freeDisk: return .freeDisk(node)
        case .rot: return .rot(node)
        case .rotIdentity: return .rotIdentity(node)
        case .rotSnapshot: return .rotSnapshot(node)
        case .misdirectWrite: return .misdirectWrite(node)
        case .wipe: return .wipe(node)
        case .replace: return .replace(node)
        case .swap: return .swap(node, other)
        case .demote: return .demote(node)
        case .transfer: return .transfer(to: node)
        }
    }
}
