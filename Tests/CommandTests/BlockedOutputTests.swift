// Whoever reads a server's output may be slow, or gone.

import Conclave
import ConclaveNet
import ConclaveRaft
import Dispatch
import Foundation
import KeyValue
import RaftCore
import RaftLog
import Synchronization
import Testing

@testable import ConclaveCommand

@Suite("Output that nobody takes", .timeLimit(.minutes(1)), .serialized)
struct BlockedOutputTests {
    @Test("P41: while a server's output is blocked, it elects, commits and answers")
    func blockedOutput() async throws {
        let id = NodeID(1)
        let isReleased = DispatchSemaphore(value: 0)
        let written = Mutex<[NodeEvent]>([])
        // One worker only: were the output written on it, nothing would go on.
        let system = ActorSystem("blocked", workers: 1, watchdog: nil)
        let reporter = try NodeReporter.start(in: system, id: id) { event in
            isReleased.wait()
            isReleased.signal()
            written.withLock { $0.append(event) }
        }
        reporter.send(.tell(.ready(id: id, clientPort: 1, peerPort: 2)))
        let (log, recovered) = try WriteAheadLog.open(
            disk: MemoryDisk(),
            identity: LogIdentity(cluster: ClusterID(high: 1, low: 2), node: id, incarnation: 3),
            ifMissing: .create
        )
        var configuration = RaftServerConfiguration(id: id, voters: [id], seed: 4, process: 5)
        configuration.onEvent = { reporter.send(.changed($0)) }
        let server = try RaftServer(
            configuration,
            machine: KeyValueMachine(keyCount: KeyCount()),
            log: log,
            recovered: recovered,
            transport: RaftNetwork().transport(of: Handshake(cluster: 1, node: PeerID(id.rawValue), incarnation: 3)),
            in: system,
            onFailure: { Issue.record("the server ended: \($0)") }
        )
        let key = Array("k".utf8)[...]
        let batch = WriteBatch([.set(key: key, value: key, .init())]).bytes
        for _ in 0..<100 {
            var result: Result<[KeyValue.Reply], RaftError>
            repeat {
                result = await withCheckedContinuation { continuation in
                    server.propose(batch, CommandCompletion<KeyValueMachine> { continuation.resume(returning: $0) })
                }
                await Task.yield()
            } while result == .failure(.noLeader)
            #expect(result == .success([.ok]))
        }
        #expect(server.status.current.role == .leader)
        #expect(written.withLock { $0.isEmpty })
        isReleased.signal()
        await system.shutdown()
        #expect(written.withLock { $0.first } == .ready(id: id, clientPort: 1, peerPort: 2))
    }

    @Test("P41: no source of the protocol writes to a stream, or has what it takes")
    func noOutputInProtocol() throws {
        let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../Sources")
        let forbidden = [
            "print(", "dump(", "fputs(", "fwrite(", "FileHandle", "StandardStreams", "import Foundation",
            "import Glibc",
            "import Darwin", "import Musl",
        ]
        var count = 0
        for module in ["RaftCore", "ConclaveRaft"] {
            let folder = sources.appending(path: module)
            for case let file as URL in FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
                ?? .init()
            where file.pathExtension == "swift" {
                count += 1
                let text = try String(contentsOf: file, encoding: .utf8)
                for word in forbidden { #expect(!text.contains(word), "\(file.lastPathComponent) has \(word)") }
            }
        }
        #expect(count > 30)
    }
}
