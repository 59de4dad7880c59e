import Testing

@testable import RaftCore

/// Checks on random inputs beside those of `Oracles`: many in an optimised build, some in a debug build.
let randomHistories = _isDebugAssertConfiguration() ? 4000 : 100_000

@Suite struct ConfigurationTests {
    /// Any configuration over servers 1 to 7.
    private func configuration(_ random: inout SplitMix64) -> Configuration {
        let all = (1...UInt64(7)).map { NodeID($0) }
        var voters = all.filter { _ in random.next() % 2 == 0 }
        if voters.isEmpty { voters = [n1] }
        let outgoing = random.next() % 2 == 0 ? [] : all.filter { _ in random.next() % 2 == 0 }
        let rest = all.filter { !voters.contains($0) && !outgoing.contains($0) }
        let learners = rest.filter { _ in random.next() % 2 == 0 }
        let next = outgoing.filter { !voters.contains($0) && random.next() % 2 == 0 }
        let records = random.next() % 2 == 0 ? [] : (voters + learners).map { record($0, &random) }
        return Configuration(
            voters: voters,
            outgoing: outgoing,
            learners: learners,
            learnersNext: next,
            records: records
        )
    }

    private func record(_ id: NodeID, _ random: inout SplitMix64) -> MemberRecord {
        MemberRecord(
            id,
            peerAddress: random.next() % 2 == 0 ? "" : "127.0.0.1:\(random.next() % 65536)",
            clientAddress: random.next() % 2 == 0 ? "" : "münchen:\(random.next() % 65536)",
            incarnation: random.next() % 2 == 0 ? nil : random.next(),
            isToBePromoted: random.next() % 2 == 0
        )
    }

    private func steps(_ random: inout SplitMix64) -> [ConfigurationStep] {
        (0..<(1 + random.next() % 4)).map { _ in
            let id = NodeID(1 + random.next() % 7)
            return switch random.next() % 6 {
            case 0: .addLearner(id)
            case 1: .promote(id)
            case 2: .demote(id)
            case 3: .add(record(id, &random))
            case 4: .describe(record(id, &random))
            default: .remove(id)
            }
        }
    }

    /// More than half, as one would write it on a blackboard.
    private func isMajority(_ ids: Set<NodeID>, of half: [NodeID]) -> Bool {
        half.filter(ids.contains).count * 2 > half.count
    }

    private func subsets() -> [Set<NodeID>] {
        (0..<128).map { bits in Set((0..<7).filter { bits >> $0 & 1 == 1 }.map { NodeID(UInt64($0 + 1)) }) }
    }

    @Test("a configuration comes back from its bytes, and nothing else does")
    func bytes() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<300 {
            let value = configuration(&random)
            let bytes = value.encoded()
            #expect(Configuration(decoding: bytes) == value)
            for count in bytes.indices { #expect(Configuration(decoding: Array(bytes[..<count])) == nil) }
            #expect(Configuration(decoding: bytes + [0]) == nil)
        }
        // Two servers in the wrong order, and a learner that votes.
        #expect(Configuration(decoding: [1, 2, 0] + number(2) + number(1) + [0, 0, 0, 0, 0, 0]) == nil)
        #expect(Configuration(decoding: [1, 1, 0] + number(1) + [0, 0, 1, 0] + number(1) + [0, 0]) == nil)
    }

    private func number(_ value: UInt8) -> [UInt8] { [value, 0, 0, 0, 0, 0, 0, 0] }

    @Test("P5: quorums, also of joint configurations, are what a naive oracle says")
    func quorums() {
        var random = SplitMix64(seed: 2)
        let subsets = subsets()
        var wrong = 0
        for _ in 0..<randomHistories / 100 {
            let value = configuration(&random)
            for ids in subsets {
                let naive =
                    isMajority(ids, of: value.voters) && (value.outgoing.isEmpty || isMajority(ids, of: value.outgoing))
                if value.isQuorum(ids) != naive { wrong += 1 }
                if quorum(of: value, ids) != naive { wrong += 1 }
                if tally(value, ids) != naive { wrong += 1 }
            }
        }
        #expect(wrong == 0)
    }

    private func progress(_ id: NodeID, _ configuration: Configuration) -> Progress {
        Progress(
            id: id,
            session: ReplicationSession(1),
            votes: VotingHalves(of: id, in: configuration),
            next: LogIndex(1000),
            heardAt: 0,
            limits: RaftLimits()
        )
    }

    /// As a leader counts: server 1 itself, the others by their progress.
    private func quorum(of configuration: Configuration, _ ids: Set<NodeID>) -> Bool {
        // A leader counts itself always, where it has a vote: leave out what cannot be asked of it.
        guard ids.contains(n1) || !configuration.isVoter(n1) else {
            return configuration.isQuorum(ids)
        }
        let peers = configuration.members.filter { $0 != n1 }.map { progress($0, configuration) }
        return Electorate(configuration, own: n1).isQuorum(peers) { ids.contains($0.id) }
    }

    private func tally(_ configuration: Configuration, _ ids: Set<NodeID>) -> Bool {
        var tally = VoteTally(configuration)
        for id in configuration.members { tally.record(id, granted: ids.contains(id)) }
        return tally.verdict == .won
    }

    @Test("a change does what its steps say, and any quorums before, during and after it share a voter")
    func changes() throws {
        var random = SplitMix64(seed: 4)
        let subsets = subsets()
        var (done, joint, wrong) = (0, 0, 0)
        for round in 0..<randomHistories / 2 {
            var before = configuration(&random)
            if before.isJoint { before = before.left }
            let steps = steps(&random)
            guard let during = try? before.changed(by: steps) else { continue }
            let after = during.isJoint ? during.left : during
            done += 1
            if during.isJoint { joint += 1 }
            for step in steps {
                let fits =
                    switch step {
                    case .addLearner(let id), .demote(let id): after.learners.contains(id)
                    case .promote(let id): after.voters.contains(id)
                    case .remove(let id): !after.members.contains(id) && after.record(of: id) == nil
                    case .add(let record): after.learners.contains(record.id) && after.record(of: record.id) == record
                    case .describe(let record):
                        after.record(of: record.id) == record
                            && after.isVoter(record.id) == before.isVoter(record.id)
                    }
                if !fits { wrong += 1 }
            }
            let untouched = Set(before.members).subtracting(steps.map(\.id))
            for id in untouched where before.voters.contains(id) != after.voters.contains(id) { wrong += 1 }
            for id in untouched where before.record(of: id) != after.record(of: id) { wrong += 1 }
            if round % 20 != 0 { continue }
            for (one, other) in [(before, during), (during, after)] {
                let first = subsets.filter(one.isQuorum)
                let second = subsets.filter(other.isQuorum)
                if first.contains(where: { ids in second.contains { $0.isDisjoint(with: ids) } }) { wrong += 1 }
            }
        }
        #expect(wrong == 0 && done > 50 && joint > 20, "\(done) changes, \(joint) of them joint")
    }

    @Test("steps that make no sense are refused, each with its reason")
    func nonsense() {
        let start = Configuration(voters: [n1, n2], learners: [n3])
        let cases: [([ConfigurationStep], ConfigurationError)] = [
            ([], .ambiguous),
            ([.promote(n3), .remove(n3)], .ambiguous),
            ([.addLearner(n1)], .doesNotFit(.addLearner(n1))),
            ([.addLearner(n3)], .doesNotFit(.addLearner(n3))),
            ([.promote(n4)], .doesNotFit(.promote(n4))),
            ([.promote(n2)], .doesNotFit(.promote(n2))),
            ([.demote(n3)], .doesNotFit(.demote(n3))),
            ([.remove(n5)], .doesNotFit(.remove(n5))),
            ([.add(MemberRecord(n3))], .doesNotFit(.add(MemberRecord(n3)))),
            ([.describe(MemberRecord(n4))], .doesNotFit(.describe(MemberRecord(n4)))),
            ([.remove(n1), .demote(n2)], .noVoters),
        ]
        for (steps, error) in cases {
            #expect(throws: error) { try start.changed(by: steps) }
        }
        let joint = Configuration(voters: [n1], outgoing: [n2])
        #expect(throws: ConfigurationError.isJoint) { try joint.changed(by: [.addLearner(n3)]) }
    }

    @Test("P3: the configuration in force is the last one in the log, through appends, cuts and compaction")
    func history() {
        var random = SplitMix64(seed: 5)
        var wrong = 0
        for _ in 0..<randomHistories / 100 {
            var history = ConfigurationHistory(Configuration(voters: [n1]), at: .zero)
            var model: [(LogIndex, Configuration)] = [(.zero, Configuration(voters: [n1]))]
            var last: UInt64 = 0
            for _ in 0..<40 {
                switch random.next() % 4 {
                case 0, 1:
                    last += 1 + random.next() % 3
                    let value = configuration(&random)
                    history.append(value, at: LogIndex(last))
                    model.append((LogIndex(last), value))
                case 2:
                    let index = LogIndex(max(model[0].0.rawValue + 1, last - min(last, random.next() % 5)))
                    let shortened = model.count > 1 && model[model.count - 1].0 >= index
                    if history.truncate(from: index) != shortened { wrong += 1 }
                    model = [model[0]] + model.dropFirst().filter { $0.0 < index }
                    last = min(last, index.rawValue - 1)
                default:
                    let index = LogIndex(model[0].0.rawValue + random.next() % 3)
                    history.compact(upTo: index)
                    if let place = model.lastIndex(where: { $0.0 <= index }) { model.removeFirst(place) }
                }
                if history.current != model[model.count - 1].1 { wrong += 1 }
                if history.currentIndex != model[model.count - 1].0 { wrong += 1 }
                for (index, value) in model where history.configuration(at: index) != value { wrong += 1 }
            }
        }
        #expect(wrong == 0)
    }
}
