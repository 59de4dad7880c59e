// Fault plans as text: a line a fault, for files that people read, change and play again.

internal import Conclave
internal import RaftCore

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
                + "drop \(faults.dropsPerMille) duplicate \(faults.duplicatesPerMille) reorder \(faults.reordersPerMille) "
                + "straggle \(faults.stragglersPerMille)"
        case .cut(let from, let to): "cut \(from.rawValue) \(to.rawValue)"
        case .isolate(let node): "isolate \(node.rawValue)"
        case .shape(let shape, let node): "\(shape.rawValue) \(node.rawValue)"
        case .slowLink(let from, let to, let delay):
            "slow-link \(from.rawValue) \(to.rawValue) \(delay.milliseconds) ms"
        case .disconnect(let one, let other): "disconnect \(one.rawValue) \(other.rawValue)"
        case .heal: "heal"
        case .pause(let node, let duration): "pause \(node.rawValue) \(duration.milliseconds) ms"
        case .kill(let node): "kill \(node.rawValue)"
        case .powerCut(let node): "power-cut \(node.rawValue)"
        case .restart(let node): "restart \(node.rawValue)"
        case .clockRate(let node, let rate): "clock-rate \(node.rawValue) \(rate) ppm"
        case .clockJump(let node, let duration): "clock-jump \(node.rawValue) \(duration.milliseconds) ms"
        case .failSync(let node): "fail-sync \(node.rawValue)"
        case .failWrite(let node): "fail-write \(node.rawValue)"
        case .failRead(let node): "fail-read \(node.rawValue)"
        case .slowDisk(let node, let delay): "slow-disk \(node.rawValue) \(delay.milliseconds) ms"
        case .hangDisk(let node, let duration): "hang-disk \(node.rawValue) \(duration.milliseconds) ms"
        case .fillDisk(let node): "fill-disk \(node.rawValue)"
        case .freeDisk(let node): "free-disk \(node.rawValue)"
        case .rot(let node): "rot \(node.rawValue)"
        case .rotIdentity(let node): "rot-identity \(node.rawValue)"
        case .rotSnapshot(let node): "rot-snapshot \(node.rawValue)"
        case .misdirectWrite(let node): "misdirect-write \(node.rawValue)"
        case .wipe(let node): "wipe \(node.rawValue)"
        case .replace(let node): "replace \(node.rawValue)"
        case .swap(let one, let other): "swap \(one.rawValue) \(other.rawValue)"
        case .demote(let node): "demote \(node.rawValue)"
        case .transfer(let node): "transfer \(node.rawValue)"
        }
    }

    /// Reads the words of `description`.
    init?(words: [String]) {
        guard words[0] != "network" else {
            guard words.count == 11, let faults = NetworkFaults(words: words) else { return nil }
            self = .network(faults)
            return
        }
        let isMeasured = words.count >= 3 && (words.last == "ms" || words.last == "ppm")
        let numbers = words.dropFirst().dropLast(isMeasured ? 2 : 0)
        let nodes = numbers.compactMap { UInt64($0) }.map { NodeID($0) }
        guard nodes.count == numbers.count,
            let fault = isMeasured ? Self(words[0], nodes, measure: words.suffix(2)) : Self(words[0], nodes)
        else { return nil }
        self = fault
    }

    /// One without a measure.
    private init?(_ name: String, _ nodes: [NodeID]) {
        switch (name, nodes.count) {
        case ("heal", 0): self = .heal
        case ("cut", 2): self = .cut(from: nodes[0], to: nodes[1])
        case ("disconnect", 2): self = .disconnect(nodes[0], nodes[1])
        case ("isolate", 1): self = .isolate(nodes[0])
        case ("kill", 1): self = .kill(nodes[0])
        case ("power-cut", 1): self = .powerCut(nodes[0])
        case ("restart", 1): self = .restart(nodes[0])
        case ("fail-sync", 1): self = .failSync(nodes[0])
        case ("fail-write", 1): self = .failWrite(nodes[0])
        case ("fail-read", 1): self = .failRead(nodes[0])
        case ("fill-disk", 1): self = .fillDisk(nodes[0])
        case ("free-disk", 1): self = .freeDisk(nodes[0])
        case ("rot", 1): self = .rot(nodes[0])
        case ("rot-identity", 1): self = .rotIdentity(nodes[0])
        case ("rot-snapshot", 1): self = .rotSnapshot(nodes[0])
        case ("misdirect-write", 1): self = .misdirectWrite(nodes[0])
        case ("wipe", 1): self = .wipe(nodes[0])
        case ("replace", 1): self = .replace(nodes[0])
        case ("swap", 2): self = .swap(nodes[0], nodes[1])
        case ("demote", 1): self = .demote(nodes[0])
        case ("transfer", 1): self = .transfer(to: nodes[0])
        default:
            guard nodes.count == 1, let shape = LinkShape(rawValue: name) else { return nil }
            self = .shape(shape, nodes[0])
        }
    }

    /// One that ends with a number and its unit.
    private init?(_ name: String, _ nodes: [NodeID], measure: ArraySlice<String>) {
        guard let unit = measure.last, let number = measure.first.flatMap({ Int64($0) }) else { return nil }
        if name == "clock-rate", nodes.count == 1, unit == "ppm" {
            guard (-100_000...100_000).contains(number) else { return nil }
            self = .clockRate(nodes[0], partsPerMillion: Int(number))
            return
        }
        guard unit == "ms", (0...86_400_000).contains(number) else { return nil }
        switch (name, nodes.count) {
        case ("slow-link", 2): self = .slowLink(from: nodes[0], to: nodes[1], .milliseconds(number))
        case ("pause", 1): self = .pause(nodes[0], .milliseconds(number))
        case ("clock-jump", 1): self = .clockJump(nodes[0], .milliseconds(number))
        case ("slow-disk", 1): self = .slowDisk(nodes[0], .milliseconds(number))
        case ("hang-disk", 1): self = .hangDisk(nodes[0], .milliseconds(number))
        default: return nil
        }
    }
}

extension NetworkFaults {
    /// Reads the words of a plan's line: `network 50-2000 us drop 0 duplicate 0 reorder 0 straggle 0`.
    fileprivate init?(words: [String]) {
        let bounds = words[1].split(separator: "-").compactMap { Int64($0) }
        let rates = [4, 6, 8, 10].compactMap { Int(words[$0]) }.filter { (0...1_000).contains($0) }
        guard bounds.count == 2, bounds[0] >= 0, bounds[0] <= bounds[1], bounds[1] <= 60_000_000, rates.count == 4,
            [words[2], words[3], words[5], words[7], words[9]] == ["us", "drop", "duplicate", "reorder", "straggle"]
        else { return nil }
        self.init()
        delay = .microseconds(bounds[0]) ... .microseconds(bounds[1])
        (dropsPerMille, duplicatesPerMille, reordersPerMille) = (rates[0], rates[1], rates[2])
        stragglersPerMille = rates[3]
    }
}

extension Duration {
    /// Whole milliseconds.
    var milliseconds: UInt64 { nanoseconds / 1_000_000 }

    /// Whole microseconds.
    var microseconds: UInt64 { nanoseconds / 1_000 }
}
