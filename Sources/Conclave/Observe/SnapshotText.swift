// A snapshot for people to read.

extension SystemSnapshot: CustomStringConvertible {
    /// The tree, one line an actor.
    ///
    /// ```
    /// bank: 3 actors, 2 dead letters, 0 late replies
    /// /
    /// └─ teller  receiving, mailbox 0, 2 restarts
    ///    ├─ alice  handling Message for 1.2 s, mailbox 17 of 100, 4 overflows
    ///    └─ Account  receiving, mailbox 0
    /// ```
    public var description: String {
        let all = actors
        var lines = [
            "\(name): \(counted(all.count - 1, "actor")), \(counted(deadLetterCount, "dead letter")), "
                + "\(counted(lateReplyCount, "late replies", one: "late reply"))"
                + (isTruncated ? ", not all shown" : "")
        ]
        // Depth first without recursion: a tree may be deeper than the stack.
        var next: [(actor: ActorSnapshot, indent: String, branch: String)] = [(root, "", "")]
        while let (actor, indent, branch) = next.popLast() {
            lines.append(indent + branch + actor.line)
            let below = indent + (branch.isEmpty ? "" : branch == "└─ " ? "   " : "│  ")
            for (position, child) in actor.children.enumerated().reversed() {
                next.append((child, below, position == actor.children.count - 1 ? "└─ " : "├─ "))
            }
        }
        return lines.joined(separator: "\n")
    }
}

extension ActorSnapshot: CustomStringConvertible {
    /// One line, without the children.
    public var description: String { "\(path)  \(facts)" }

    fileprivate var line: String { path == "/" ? "/" : "\(label)  \(facts)" }

    private var facts: String {
        var facts: [String] = []
        if let current {
            facts.append("\(state.rawValue) \(current.type) for \(Self.text(current.age))")
        } else {
            facts.append(state == .waitingForWorker ? "waiting for a worker" : state.rawValue)
        }
        let depth = mailboxDepth.map { $0 >= Self.countLimit ? "\($0) or more" : "\($0)" } ?? "not counted"
        facts.append("mailbox \(depth)" + (mailboxCapacity.map { " of \($0)" } ?? ""))
        if overflowCount > 0 { facts.append(counted(overflowCount, "overflow")) }
        return (facts + (details?.facts ?? [])).joined(separator: ", ")
    }

    /// Whole milliseconds below a second, tenths of a second above.
    private static func text(_ age: Duration) -> String {
        let milliseconds = age.nanoseconds / 1_000_000
        if milliseconds < 1000 { return "\(milliseconds) ms" }
        return "\(milliseconds / 1000).\(milliseconds % 1000 / 100) s"
    }
}

extension ActorSnapshot.Details {
    fileprivate var facts: [String] {
        var facts: [String] = []
        if stashDepth > 0 { facts.append("\(stashDepth) put aside") }
        if restartCount > 0 { facts.append(counted(restartCount, "restart")) }
        if timerCount > 0 { facts.append(counted(timerCount, "timer")) }
        if watcherCount > 0 { facts.append(counted(watcherCount, "watcher")) }
        if !monitoring.isEmpty { facts.append("monitors \(monitoring.joined(separator: " "))") }
        if !links.isEmpty { facts.append("linked with \(links.joined(separator: " "))") }
        return facts
    }
}

private func counted(_ count: Int, _ things: String, one: String? = nil) -> String {
    if let one { return "\(count) \(count == 1 ? one : things)" }
    return "\(count) \(things)\(count == 1 ? "" : "s")"
}
