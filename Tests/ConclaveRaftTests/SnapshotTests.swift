import Conclave
import ConclaveNet
import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveRaft

@Suite("Snapshots", .timeLimit(.minutes(1)), .serialized)
struct SnapshotTests {
    /// A cluster that writes its state down every hundred entries and keeps hardly any log behind that.
    private static func cluster(_ count: Int) throws -> TestCluster {
        try TestCluster(count) { options in
            options.snapshotPolicy.entries = 100
            options.logTail.entries = 10
            options.logTail.bytes = 0
            options.limits.snapshotChunkBytes = 64
        }
    }

    private static func propose(_ count: Int, _ number: UInt8, on id: NodeID, _ cluster: TestCluster) async {
        for _ in 0..<count {
            guard case .success = await cluster.insist({ await cluster.propose(number, on: id) }) else {
                Issue.record("a command failed")
                return
            }
        }
    }

    @Test("a server starts from its snapshot and what its log holds behind it, sessions included")
    func restart() async throws {
        let cluster = try Self.cluster(1)
        let id = await cluster.leader()
        let session = await cluster.registerSession()
        let label = SessionCommand(session: session, sequence: 1, firstUnanswered: 1)
        #expect(await cluster.propose(label, 3, on: id) == .success(1))
        await Self.propose(450, 7, on: id, cluster)
        await cluster.stop(id)
        let files = try cluster.disks[id]?.list() ?? []
        #expect(files.contains { $0.contains("snapshot") }, "\(files)")
        try cluster.start(id)
        #expect(await cluster.insist { await cluster.read(7, on: id) } == .success(450))
        // Carried out before the restart: known from the snapshot.
        #expect(await cluster.insist { await cluster.propose(label, 3, on: id) } == .success(1))
        #expect(await cluster.insist { await cluster.read(3, on: id) } == .success(1))
        await cluster.shutdown()
    }

    @Test("a follower that was away for longer than the log reaches back catches up by snapshot, while writes go on")
    func catchUp() async throws {
        let cluster = try Self.cluster(3)
        let leader = await cluster.leader()
        let away = try #require(cluster.ids.first { $0 != leader })
        let rest = cluster.ids.filter { $0 != away }
        await cluster.stop(away)
        await Self.propose(500, 7, on: leader, cluster)
        try cluster.start(away)
        await Self.propose(300, 7, on: await cluster.leader(among: rest), cluster)
        #expect(await cluster.insist { await cluster.read(7, on: away) } == .success(800))
        await cluster.stop(away)
        try cluster.start(away)
        #expect(await cluster.insist { await cluster.read(7, on: away) } == .success(800))
        await cluster.shutdown()
    }

    @Test("a follower catches up by snapshot also while its leader takes new ones faster than one can be sent")
    func newerSnapshots() throws {
        let cluster = try SteppedCluster(3) { options in
            options.snapshotPolicy.entries = 20
            options.logTail = .none
            options.limits.snapshotChunkBytes = 64
        }
        let leader = cluster.elect()
        let away = try #require(cluster.ids.first { $0 != leader })
        let server = cluster.server(leader)
        let propose = { @Sendable (count: UInt8) in
            for number in 0..<count { server.propose([number], CommandCompletion<CountingMachine> { _ in }) }
        }
        cluster.network.isolate(away)
        for _ in 0..<2 {
            propose(50)
            cluster.pass(.milliseconds(100))
        }
        let first = cluster.status(leader).snapshotIndex
        #expect(first > .zero)
        let pieces = Mutex(0)
        cluster.network.setFilter { message, _, _ in
            guard case .raft(let message) = message, case .installSnapshot = message.kind else { return true }
            // Enough for another snapshot, each time. One that begins again each time would never end.
            let count = pieces.withLock { count in
                count += 1
                return count
            }
            if count < 100 { propose(25) }
            return count < 100
        }
        cluster.network.heal()
        cluster.pass(.seconds(1))
        #expect(pieces.withLock { $0 } < 100)
        #expect(cluster.status(leader).snapshotIndex > first + 200)
        #expect(cluster.status(away).appliedIndex == cluster.status(leader).lastIndex)
    }

    /// Elects a leader that takes a snapshot of 100 commands, which a server that hears nothing lacks.
    private func snapshotWithoutOne(
        _ cluster: SteppedCluster
    ) throws -> (leader: NodeID, away: NodeID, disk: MemoryDisk) {
        let leader = cluster.elect()
        let away = try #require(cluster.ids.first { $0 != leader })
        cluster.network.isolate(away)
        for number in 0..<UInt8(100) {
            cluster.server(leader).propose([number], CommandCompletion<CountingMachine> { _ in })
        }
        cluster.pass(.milliseconds(500))
        cluster.server(leader).takeSnapshot(AdminCompletion { _ in })
        cluster.steps.settle()
        return (leader, away, try #require(cluster.disks[leader]))
    }

    @Test(
        "a leader whose snapshot has rotted on its disk finds out when it sends it, and replaces it: also when nothing new is written",
        arguments: [0, 3] as [UInt8]
    )
    func rotten(writesSince: UInt8) throws {
        let cluster = try SteppedCluster(3) { options in
            options.snapshotPolicy.entries = 1_000
            options.logTail = .none
            options.limits.snapshotChunkBytes = 64
        }
        let (leader, away, disk) = try snapshotWithoutOne(cluster)
        let taken = cluster.status(leader).snapshotIndex
        #expect(taken > .zero && taken == cluster.status(leader).lastIndex)
        for number in 0..<writesSince {
            cluster.server(leader).propose([number], CommandCompletion<CountingMachine> { _ in })
        }
        cluster.pass(.milliseconds(500))
        let file = try #require(try disk.list().first { $0.hasSuffix(".snap") })
        let sizeBytes = try #require(disk.contents(of: file)?.count)
        disk.flipBit(of: file, byte: sizeBytes / 2, bit: 3)

        let last = cluster.status(leader).lastIndex
        cluster.network.heal()
        cluster.pass(.seconds(3))
        #expect(cluster.status(away).appliedIndex == last && cluster.status(leader).lastIndex == last)
        #expect(cluster.status(leader).role == .leader && cluster.status(leader).snapshotIndex == last)
        let told = cluster.events(leader).filter { if case .snapshotDamaged(taken, _) = $0 { true } else { false } }
        #expect(told.count == 1)
        let snapshots = try disk.list().filter { $0.contains("snapshot") }
        #expect(snapshots.count == 1 && (snapshots == [file]) == (writesSince == 0))
        let copy = disk.copy()
        let (log, recovered) = try WriteAheadLog.open(
            disk: copy,
            identity: LogIdentity(cluster: ClusterID(high: 1, low: 2), node: leader, incarnation: 3),
            ifMissing: .refuse,
            options: RaftStorage.memory().logOptions
        )
        try log.snapshotFiles.read(try #require(recovered.snapshot)).verify()
        log.close()
    }

    @Test("where a damaged snapshot cannot be replaced, as on a full disk, this is tried, and said, now and then only")
    func notReplaced() throws {
        let cluster = try SteppedCluster(3) { options in
            options.snapshotPolicy.entries = 1_000
            options.logTail = .none
        }
        let (leader, away, disk) = try snapshotWithoutOne(cluster)
        let file = try #require(try disk.list().first { $0.hasSuffix(".snap") })
        disk.flipBit(of: file, byte: 100, bit: 3)
        let attempts = Mutex(0)
        disk.setFaults { operation, name, _ in
            guard operation == .create, name.contains("snapshot") else { return nil }
            attempts.withLock { $0 += 1 }
            return .noSpace
        }
        cluster.network.heal()
        cluster.pass(.seconds(12))
        let told = cluster.events(leader).count { if case .snapshotDamaged = $0 { true } else { false } }
        #expect(told == 3 && attempts.withLock { $0 } == 3)
        #expect(cluster.status(away).appliedIndex < cluster.status(leader).lastIndex)
        disk.setFaults(nil)
        cluster.pass(.seconds(6))
        #expect(cluster.status(away).appliedIndex == cluster.status(leader).lastIndex)
    }

    @Test(
        "a follower that has more of a snapshot than there is of the file in its place is sent an end that it refuses"
    )
    func shorterFile() {
        let info = SnapshotInfo(position: LogPosition(index: LogIndex(5), term: Term(1)), sizeBytes: 300, checksum: 7)
        let stream = SnapshotStream(info)
        let read = { (_: Int, count: Int) in [UInt8](repeating: 1, count: count) }
        let (first, last, beyond) = (
            stream.piece(at: 0, upTo: 100, read), stream.piece(at: 300, upTo: 100, read),
            stream.piece(at: 400, upTo: 100, read)
        )
        #expect(first.bytes.count == 100 && !first.isLast)
        #expect(last.bytes.count == 12 && last.isLast)
        #expect(beyond.bytes.isEmpty && beyond.isLast)
    }

    @Test("a snapshot that has arrived as a whole, from a leader that is none any more, leaves no file behind")
    func unwanted() throws {
        let cluster = try SteppedCluster(3) { options in
            options.snapshotPolicy.entries = 20
            options.logTail = .none
        }
        let leader = cluster.elect()
        let away = try #require(cluster.ids.first { $0 != leader })
        let other = try #require(cluster.ids.first { $0 != leader && $0 != away })
        cluster.network.isolate(away)
        for _ in 0..<2 {
            for number in 0..<UInt8(50) {
                cluster.server(leader).propose([number], CommandCompletion<CountingMachine> { _ in })
            }
            cluster.pass(.milliseconds(100))
        }
        let whole = Mutex<RaftMessage?>(nil)
        cluster.network.setFilter { message, _, to in
            guard to == away, case .raft(let raft) = message, case .installSnapshot(let chunk) = raft.kind, chunk.isLast
            else { return true }
            whole.withLock { $0 = raft }
            return false
        }
        cluster.network.heal()
        cluster.pass(.milliseconds(500))
        let message = try #require(whole.withLock { $0 })
        cluster.network.setFilter { _, _, _ in true }
        // In one batch: the piece is being stored when the term of its leader passes.
        let next = Term(cluster.status(away).term.rawValue + message.term.rawValue + 1)
        cluster.network.deliver(.raft(message), from: leader, to: away)
        let news = RaftMessage(from: other, to: away, term: next, kind: .termPassed)
        cluster.network.deliver(.raft(news), from: other, to: away)
        cluster.steps.settle()
        #expect(cluster.status(away).term == next && cluster.status(away).snapshotIndex == .zero)
        let left = try #require(cluster.disks[away]).list().filter { $0.contains("snapshot") }
        #expect(left == [])
    }

    @Test("entries that wait for a leader's snapshot are not applied when another snapshot is to come before them")
    func twoSnapshots() async throws {
        let (log, _) = try WriteAheadLog.open(
            disk: MemoryDisk(location: "disk"),
            identity: LogIdentity(cluster: ClusterID(high: 1, low: 2), node: NodeID(1), incarnation: 3),
            ifMissing: .create,
            options: RaftStorage.memory().logOptions
        )
        try log.append(hardState: HardState(term: Term(1)))
        let members = Configuration(voters: [NodeID(1)])
        let second = try log.snapshotFiles.write(at: LogPosition(index: LogIndex(9), term: Term(1)))
            .finish(configuration: members.encoded(), sessions: SessionTable().encoded())
        try log.adopt(second, replacingLog: true)
        let first = SnapshotInfo(position: LogPosition(index: LogIndex(5), term: Term(1)), sizeBytes: 0, checksum: 0)

        let (system, files) = (ActorSystem("applier", workers: 2), log.snapshotFiles)
        let status = StatusBoard(RaftStatus(id: NodeID(1), configuration: members))
        let outbox = Outbox(
            transport: RaftNetwork().transport(of: Handshake(cluster: 1, node: PeerID(1), incarnation: 3))
        )
        let keeper = try system.spawn { SnapshotKeeper(files, current: nil, outbox: outbox) }
        let applier = try system.spawn {
            Applier(
                AppliedState(machine: CountingMachine(), configuration: members),
                fresh: CountingMachine(),
                files: files,
                snapshots: keeper,
                status: status
            )
        }
        let apply = { (index: UInt64, completion: Completion?) in
            let entry = Entry(term: Term(1), index: LogIndex(index), kind: .noop, payload: [])
            applier.send(.apply([entry], completions: [completion], reportsTo: nil))
        }
        let outcome = Mutex<Result<Int, RaftError>?>(nil)
        applier.send(.awaitRestore)
        apply(6, CommandCompletion<CountingMachine> { result in outcome.withLock { $0 = result } })
        applier.send(.awaitRestore)
        applier.send(.restore(first))
        applier.send(.restore(second.info))
        apply(10, nil)
        let answer = await withCheckedContinuation { continuation in
            let query = QueryCompletion<CountingMachine>(1) { continuation.resume(returning: $0) }
            applier.send(.read([query], at: LogIndex(10), deadline: .max))
        }
        #expect(answer == .success(0) && status.appliedIndex == LogIndex(10))
        #expect(outcome.withLock { $0 } == .failure(.unknown(.overtaken)))
        await system.shutdown()
        log.close()
    }
}
