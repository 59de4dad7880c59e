// What goes wrong in a run, and when: a value, drawn from the seed, that can be written down, cut short and played again.

internal import Conclave
package import RaftCore

/// One thing that goes wrong, or is mended.
package enum Fault: Hashable, Sendable {
    /// The network treats frames so from now on.
    case network(NetworkFaults)
    /// What one server sends another is lost.
    case cut(from: NodeID, to: NodeID)
    /// Everything that a server sends or is sent is lost.
    case isolate(NodeID)
    /// All links carry again.
    case heal
    /// A machine stands still for so long.
    case pause(NodeID, Duration)
    /// The next sync of a server's disk fails.
    case failSync(NodeID)
    /// A server's process ends; what it wrote is still there, synced or not.
    case kill(NodeID)
    /// A machine loses its power, and with it any part of what was not synced.
    case powerCut(NodeID)
    /// A server that is down starts again.
    case restart(NodeID)
}

/// The faults of a run, in the order of their times since its start.
package struct FaultPlan: Hashable, Sendable {
    /// A fault and its time.
    package struct Step: Hashable, Sendable {
        package var time: Duration
        package var fault: Fault
    }

    package var steps: [Step]

    package init(_ steps: [Step] = []) { self.steps = steps }

    /// Draws a plan: something happens every 0.1 to 2.5 s until `end`. The rates of the run are drawn first, so that some runs see
    /// hardly any of one kind and others little else.
    package init(
        _ profile: FaultProfile,
        nodes: [NodeID],
        until end: Duration,
        using random: inout SimulationRandom
    ) {
        steps = []
        guard profile != .calm else { return }
        if profile.hasNetworkFaults { steps.append(Step(time: .zero, fault: .network(.swarm(using: &random)))) }
        let kinds = Self.kinds(profile, using: &random)
        var time = Duration.zero
        while true {
            time += .milliseconds(Int64.random(in: 100...2_500, using: &random))
            guard time < end else { return }
            steps.append(Step(time: time, fault: Self.draw(kinds, nodes, using: &random)))
        }
    }

    private enum Kind: CaseIterable {
        case network, cut, isolate, heal, pause, failSync, kill, powerCut, restart

        var isOfNetwork: Bool {
            switch self {
            case .network, .cut, .isolate, .heal, .pause: true
            case .failSync, .kill, .powerCut, .restart: false
            }
        }

        /// Mends what others break.
        var mends: Bool { self == .heal || self == .restart }
    }

    /// Each kind as often as it is to come up. About a third of the kinds that break something are off.
    private static func kinds(_ profile: FaultProfile, using random: inout SimulationRandom) -> [Kind] {
        Kind.allCases.flatMap { kind -> [Kind] in
            guard kind.isOfNetwork ? profile.hasNetworkFaults : profile.hasDiskFaults else { return [] }
            let weight = kind.mends ? 4 : max(0, Int.random(in: -1...3, using: &random))
            return Array(repeating: kind, count: weight)
        }
    }

    private static func draw(_ kinds: [Kind], _ nodes: [NodeID], using random: inout SimulationRandom) -> Fault {
        let node = nodes.randomElement(using: &random) ?? nodes[0]
        switch kinds.randomElement(using: &random) ?? .heal {
        case .network: return .network(.swarm(using: &random))
        case .cut:
            let others = nodes.filter { $0 != node }
            return .cut(from: node, to: others.randomElement(using: &random) ?? node)
        case .isolate: return .isolate(node)
        case .heal: return .heal
        case .pause: return .pause(node, .milliseconds(Int64.random(in: 10...3_000, using: &random)))
        case .failSync: return .failSync(node)
        case .kill: return .kill(node)
        case .powerCut: return .powerCut(node)
        case .restart: return .restart(node)
        }
    }
}

// MARK: - As text

extension FaultPlan: CustomStringConvertible {
    /// A step a line: `1250 ms  power-cut 2`.
    package var description: String {
        steps.map { step in
            let time = "\(step.time.milliseconds)"
            return String(repeating: " ", count: max(0, 7 - time.count)) + "\(time) ms  \(step.fault)"
        }.joined(separator: "\n")
    }

    /// Reads what `description` wrote; empty lines, and what follows a `#`, mean nothing.
    /// - Throws: `FaultPlanError` with the line that it cannot read.
    package init(text: String) throws(FaultPlanError) {
        steps = []
        for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            let words = line.prefix { $0 != "#" }.split(separator: " ").map(String.init)
            if words.isEmpty { continue }
            guard words.count >= 3, let time = Int64(words[0]), (0...86_400_000).contains(time), words[1] == "ms",
                let fault = Fault(words: Array(words.dropFirst(2)))
            else { throw FaultPlanError(line: number + 1, text: String(line)) }
            let step = Step(time: .milliseconds(time), fault: fault)
            guard step.time >= steps.last?.time ?? .zero else {
                throw FaultPlanError(line: number + 1, text: String(line))
            }
            steps.append(step)
        }
    }
}

/// A line that is no step of a plan, or comes before the one above it.
package struct FaultPlanError: Error, Hashable, Sendable, CustomStringConvertible {
    package let line: Int
    package let text: String

    package var description: String { "line \(line) is no step of a fault plan, in the order of time: '\(text)'" }
}

extension Fault: CustomStringConvertible {
    package var description: String {
        switch self {
        case .network(let faults):
            "network \(faults.delay.lowerBound.microseconds)-\(faults.delay.upperBound.microseconds) us "
                + "drop \(faults.dropsPerMille) duplicate \(faults.duplicatesPerMille) reorder \(faults.reordersPerMille)"
        case .cut(let from, let to): "cut \(from.rawValue) \(to.rawValue)"
        case .isolate(let node): "isolate \(node.rawValue)"
        case .heal: "heal"
        case .pause(let node, let duration): "pause \(node.rawValue) \(duration.milliseconds) ms"
        case .failSync(let node): "fail-sync \(node.rawValue)"
        case .kill(let node): "kill \(node.rawValue)"
        case .powerCut(let node): "power-cut \(node.rawValue)"
        case .restart(let node): "restart \(node.rawValue)"
        }
    }

    /// Reads the words of `description`.
    init?(words: [String]) {
        func node(_ place: Int) -> NodeID? {
            words.indices.contains(place) ? UInt64(words[place]).map { NodeID($0) } : nil
        }
        switch (words[0], words.count) {
        case ("network", 9):
            guard let faults = NetworkFaults(words: words) else { return nil }
            self = .network(faults)
        case ("cut", 3):
            guard let from = node(1), let to = node(2) else { return nil }
            self = .cut(from: from, to: to)
        case ("heal", 1): self = .heal
        case ("pause", 4):
            guard let id = node(1), let time = Int64(words[2]), (0...86_400_000).contains(time), words[3] == "ms" else {
                return nil
            }
            self = .pause(id, .milliseconds(time))
        case (let word, 2):
            guard let id = node(1) else { return nil }
            switch word {
            case "isolate": self = .isolate(id)
            case "fail-sync": self = .failSync(id)
            case "kill": self = .kill(id)
            case "power-cut": self = .powerCut(id)
            case "restart": self = .restart(id)
            default: return nil
            }
        default: return nil
        }
    }
}

extension NetworkFaults {
    /// Reads the words of a plan's line: `network 50-2000 us drop 0 duplicate 0 reorder 0`.
    fileprivate init?(words: [String]) {
        let bounds = words[1].split(separator: "-").compactMap { Int64($0) }
        let rates = [4, 6, 8].compactMap { Int(words[$0]) }.filter { (0...1_000).contains($0) }
        guard bounds.count == 2, bounds[0] >= 0, bounds[0] <= bounds[1], bounds[1] <= 60_000_000, rates.count == 3,
            [words[2], words[3], words[5], words[7]] == ["us", "drop", "duplicate", "reorder"]
        else { return nil }
        self.init()
        delay = .microseconds(bounds[0]) ... .microseconds(bounds[1])
        (dropsPerMille, duplicatesPerMille, reordersPerMille) = (rates[0], rates[1], rates[2])
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: UInt64 { nanoseconds / 1_000_000 }

    /// Whole microseconds.
    var microseconds: UInt64 { nanoseconds / 1_000 }
}
