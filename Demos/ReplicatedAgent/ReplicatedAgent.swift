// An agent on three nodes: code as the payload across machines.

import Conclave
import ConclaveRaft
import DemoSupport
import Foundation
import RaftCore

@main
struct ReplicatedAgentDemo {
    let ports: [NodeID: RaftPort]
    let directory: URL
    var nodes: [NodeID: (system: ActorSystem, node: RaftNode<ReplicatedLibrary>)] = [:]

    static func main() async throws {
        let demo = Demo(
            "replicated-agent",
            about: """
                An agent whose actions are Codable functions, replicated by Raft to three nodes over TCP. Each node runs every
                action, in the same order; the state outlives any one of them. (The three share this process, to keep the demo
                short: nothing in it would change on three machines but the addresses.)
                """
        )
        let directory = FileManager.default.temporaryDirectory.appending(path: "replicated-agent-\(UUID())")
        defer { try? FileManager.default.removeItem(at: directory) }
        let ids = [NodeID(1), NodeID(2), NodeID(3)]
        let ports = try Dictionary(uniqueKeysWithValues: ids.map { ($0, try RaftPort()) })
        var cluster = Self(ports: ports, directory: directory)
        for id in ids { try cluster.start(id) }
        try await cluster.lendBooks(demo)
        try await cluster.loseLeader(demo)
        for id in ids { await cluster.stop(id) }
    }

    mutating func start(_ id: NodeID) throws {
        guard let port = ports[id] else { return }
        let system = ActorSystem("library-\(id)")
        let node = try RaftNode(
            RaftNodeOptions(cluster: "library", id: id, members: Set(ports.keys)),
            machine: ReplicatedLibrary(),
            storage: .directory(directory.appending(path: "\(id)").path),
            transport: .tcp(port, peers: ports.mapValues(\.number)),
            in: system
        )
        nodes[id] = (system, node)
    }

    mutating func stop(_ id: NodeID) async { await nodes.removeValue(forKey: id)?.system.shutdown() }

    /// A client of all nodes that run.
    func client() throws -> RaftClient<ReplicatedLibrary> {
        let running = nodes.sorted { $0.key < $1.key }.map(\.value)
        return try RaftClient(running.map(\.node), in: running[0].system)
    }

    func lendBooks(_ demo: Demo) async throws {
        demo.part("Two readers ask for one book at the same time, through different nodes")
        let (here, there) = (try RaftClient([nodes[NodeID(1)]!.node], in: nodes[NodeID(1)]!.system), try client())
        async let ann = here.submit(try ReplicatedLibrary.command(Lend(book: "Emma", reader: "Ann")))
        async let bob = there.submit(try ReplicatedLibrary.command(Lend(book: "Emma", reader: "Bob")))
        let answers = try await [ann, bob]
        for answer in answers { print("   \(answer)") }
        let reader = try await there.query("Emma")
        demo.expect(
            answers.contains("\(reader) has Emma"),
            "one of them got it, and all nodes agree that it is \(reader)"
        )
    }

    mutating func loseLeader(_ demo: Demo) async throws {
        guard let leader = nodes.values.lazy.compactMap(\.node.status.leader).first else { return }
        demo.part("The leader, \(leader), is stopped; the other two go on")
        await stop(leader)
        let client = try client()
        let clock = ContinuousClock()
        let stoppedAt = clock.now
        print("   \(try await client.submit(try ReplicatedLibrary.command(Return(book: "Emma"))))")
        demo.expect(true, "the next action was carried out after \((clock.now - stoppedAt).text)")

        demo.part("\(leader) starts again, from its directory, and hears what it missed")
        try start(leader)
        guard let returned = nodes[leader] else { return }
        let answer = try await RaftClient([returned.node], in: returned.system).query("Emma", timeout: .seconds(10))
        demo.expect(answer == "nobody", "asked through it, Emma is with \(answer)")
    }
}
