import Conclave
import Testing

/// A mutable graph that no two threads may share.
private final class Node {
    var value: Int
    var neighbours: [Node] = []
    init(_ value: Int) { self.value = value }
}

@Suite(.timeLimit(.minutes(2))) struct SendingTests {
    private struct Keeper: Behavior {
        enum Message {
            case graph(Node)
            /// Answers with the identity of what was kept and the sum over it.
            case facts(Reply<(ObjectIdentifier, Int)>)
            case give(Reply<Node?>)
        }
        var kept: Node?

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            switch consume message {
            case .graph(let node):
                node.value += 1  // ours alone now
                kept = node
            case .facts(let reply):
                guard let kept else { return }
                reply((ObjectIdentifier(kept), kept.value + kept.neighbours.reduce(0) { $0 + $1.value }))
            case .give(let reply):
                // The actor keeps no reference: what it gives is as free as what it got.
                reply(Gift(kept.take()).node)
            }
        }
    }

    /// A graph that the one who has it lets go of.
    private struct Gift: @unchecked Sendable {
        let node: Node?
        init(_ node: Node?) { self.node = node }
    }

    private func makeGraph() -> sending Node {
        let node = Node(1)
        let other = Node(10)
        node.neighbours = [other, node, other]
        other.neighbours = [node]
        return node
    }

    @Test("a mutable, non-Sendable object graph moves without a copy")
    func moves() async throws {
        let system = ActorSystem("sending")
        let keeper = try system.spawn { Keeper() }
        let graph = makeGraph()
        let identity = ObjectIdentifier(graph)
        keeper.send(.graph(graph))
        let facts = try await keeper.ask { .facts($0) }
        #expect(facts.0 == identity)
        #expect(facts.1 == 2 + 10 + 2 + 10)
        // It comes back the same way.
        let returned = try await keeper.ask { .give($0) }
        #expect(returned.map { ObjectIdentifier($0) } == identity)
        returned?.neighbours = []
        await system.shutdown()
    }

    @Test("a rejected message comes back as the same object")
    func returned() async throws {
        struct Stuck: Behavior {
            mutating func receive(_ message: consuming Node, _ context: borrowing Context<Node>) {}
        }
        let world = SteppedWorld()
        let actor = try world.system.spawn(options: SpawnOptions(mailbox: .bounded(1, overflow: .rejectNewest))) {
            Stuck()
        }
        actor.send(Node(1))
        let second = Node(2)
        let identity = ObjectIdentifier(second)
        let rejected = actor.offer(second)
        #expect(rejected.map { ObjectIdentifier($0) } == identity)
        rejected?.value = 3
        await world.shutdown()
    }

    private static let preamble = """
        import Conclave
        final class Node { var value = 0 }
        struct Keeper: Behavior {
            mutating func receive(_ message: consuming Node, _ context: borrowing Context<Node>) {}
        }

        """

    @Test(
        "use after send does not compile",
        .enabled(if: CompilerCheck.isPossible, "no built modules beside the tests, or no compiler to ask")
    )
    func useAfterSend() throws {
        let check = try #require(CompilerCheck())
        let fine = """
            func fine(_ keeper: ActorRef<Node>) {
                let node = Node()
                node.value = 1
                keeper.send(node)
            }
            """
        #expect(try check.errors(in: Self.preamble + fine) == "")
        for (call, isAsync) in [("send", false), ("offer", false), ("sendWhenRoom", true)] {
            let wrong = """
                func wrong(_ keeper: ActorRef<Node>) \(isAsync ? "async throws" : "") {
                    let node = Node()
                    _ = \(isAsync ? "try await " : "")keeper.\(call)(node)
                    node.value = 1
                }
                """
            let errors = try check.errors(in: Self.preamble + wrong)
            #expect(errors.contains("sending 'node' risks causing data races"), "\(call): \(errors)")
        }
        let shared = """
            func shared(_ keeper: ActorRef<Node>, _ node: Node) { keeper.send(node) }
            """
        #expect(try check.errors(in: Self.preamble + shared).contains("sending 'node' risks causing data races"))
    }

    @Test(
        "a closed actor takes its Message and nothing else: anything else does not compile",
        .enabled(if: CompilerCheck.isPossible, "no built modules beside the tests, or no compiler to ask")
    )
    func closed() throws {
        let check = try #require(CompilerCheck())
        let wrong = """
            func wrong(_ keeper: ActorRef<Node>) { keeper.send("text") }
            """
        #expect(try check.errors(in: Self.preamble + wrong).contains("cannot convert value of type 'String'"))
    }
}
