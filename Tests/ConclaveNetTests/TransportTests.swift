import ConclaveNet
import Testing

extension Loopback {
    @Suite("Transport over TCP")
    struct TransportTests {
        /// Two servers that know each other.
        private static func pair(
            _ configure: (inout TCPTransport.Configuration) -> Void = { _ in }
        ) throws -> (CarryingServer, CarryingServer) {
            let second = try freeAddress()
            let a = try CarryingServer(1, peers: [PeerID(2): second], configure)
            let b = try CarryingServer(2, on: second, peers: [PeerID(1): a.address], configure)
            return (a, b)
        }

        @Test("frames arrive in order in both directions, small and large")
        func order() async throws {
            var generator = SeededGenerator(seed: seed(for: "TransportTests"))
            let (a, b) = try Self.pair()
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            #expect(await b.sink.inbox.next() == .up(PeerID(1)))
            var sizes = (0..<2_000).map { _ in Int.random(in: 1...600, using: &generator) }
            sizes += [3_000_000, 1, 70_000]
            for (number, size) in sizes.enumerated() {
                let frame = [UInt8](repeating: UInt8(truncatingIfNeeded: number % 200), count: size)
                a.send(frame, to: 2)
                b.send(frame, to: 1)
            }
            for (number, size) in sizes.enumerated() {
                let frame = [UInt8](repeating: UInt8(truncatingIfNeeded: number % 200), count: size)
                #expect(await b.sink.inbox.next() == .frame(frame, from: PeerID(1)))
                #expect(await a.sink.inbox.next() == .frame(frame, from: PeerID(2)))
            }
            await a.stop()
            await b.stop()
        }

        @Test("a peer that comes up later is found")
        func lateStart() async throws {
            let second = try freeAddress()
            let a = try CarryingServer(1, peers: [PeerID(2): second])
            for _ in 0..<3 {
                let failure = await a.events.first { event in
                    if case .linkFailed(PeerID(2), let failure, _) = event { failure } else { nil }
                }
                guard case .socket(let error) = failure else {
                    Issue.record("unexpected: \(failure)")
                    return
                }
                #expect(error.operation == .connect)
            }
            let b = try CarryingServer(2, on: second, peers: [PeerID(1): a.address])
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            a.send([1, 2, 3], to: 2)
            _ = await b.sink.inbox.first { $0 == .frame([1, 2, 3], from: PeerID(1)) ? true : nil }
            await a.stop()
            await b.stop()
        }

        @Test("the end of a peer is told at once, and its return too")
        func restart() async throws {
            let (a, b) = try Self.pair()
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            await b.stop()
            #expect(await a.sink.inbox.next() == .down(PeerID(2)))
            a.send([9], to: 2)
            let again = try CarryingServer(2, on: b.address, peers: [PeerID(1): a.address])
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            a.send([4], to: 2)
            let frame = await again.sink.inbox.first { if case .frame(let bytes, _) = $0 { bytes } else { nil } }
            #expect(frame == [4], "what was sent without a link is dropped")
            await a.stop()
            await again.stop()
        }

        @Test("links follow the peers that are set: one comes, moves, goes and comes again")
        func peersChange() async throws {
            let b = try CarryingServer(2, peers: [:]) { $0.acceptsStrangers = true }
            let c = try CarryingServer(2, peers: [:]) { $0.acceptsStrangers = true }
            let a = try CarryingServer(1, peers: [:])
            a.setPeers([PeerID(2): b.address])
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            a.send([1], to: 2)
            #expect(await b.sink.inbox.next() == .frame([1], from: PeerID(1)))
            a.setPeers([PeerID(2): c.address])
            #expect(await a.sink.inbox.next() == .down(PeerID(2)))
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            a.send([2], to: 2)
            #expect(await c.sink.inbox.next() == .frame([2], from: PeerID(1)))
            // What was sent before the peer was left out still arrives.
            a.send([3], to: 2)
            a.setPeers([:])
            #expect(await c.sink.inbox.next() == .frame([3], from: PeerID(1)))
            #expect(await a.sink.inbox.next() == .down(PeerID(2)))
            a.setPeers([PeerID(2): c.address])
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            a.send([4], to: 2)
            #expect(await c.sink.inbox.next() == .frame([4], from: PeerID(1)))
            await a.stop()
            await b.stop()
            await c.stop()
        }

        @Test("what a peer's link may hold is bounded: frames beyond are dropped whole and counted")
        func bounded() async throws {
            let listener = try Socket.listen(on: .loopback(port: 0))
            let silent = try #require(listener.localAddress)
            let a = try CarryingServer(1, peers: [PeerID(2): silent]) {
                $0.limits.sendBytes = 1_000_000
            }
            // A peer that accepts us and then never reads.
            blockUntilReady(listener, for: .readable)
            guard case .accepted(let accepted) = listener.accept() else {
                Issue.record("the link did not connect")
                return
            }
            let answer = Handshake(cluster: HandshakeTests.cluster, node: PeerID(2), incarnation: 2)
            #expect(send(answer.encode(), on: accepted) == .bytes(Handshake.sizeBytes))
            #expect(await a.sink.inbox.next() == .up(PeerID(2)))
            for _ in 0..<300 { a.send([UInt8](repeating: 1, count: 100_000), to: 2) }
            let total = await a.events.first { event in
                if case .framesDropped(PeerID(2), let total) = event { total } else { nil }
            }
            #expect(total > 0)
            await a.stop()
        }

        @Test(
            "a peer that does not belong to us is refused, and told why",
            arguments: [Handshake.Refusal.version, .wrongCluster, .unknownNode, .incarnation]
        )
        func refusals(expected: Handshake.Refusal) async throws {
            let a = try CarryingServer(1, peers: [PeerID(2): try freeAddress()])
            var hello = HandshakeTests.hello
            switch expected {
            case .version: hello.version = 9
            case .wrongCluster: hello.cluster = 1
            case .unknownNode: hello.node = PeerID(3)
            default: hello.incarnation = HandshakeTests.strangeIncarnation
            }
            let client = try RawClient(to: a.address)
            _ = send(hello.encode(), on: client.socket)
            let answer = try #require(client.untilClosed())
            #expect(try HandshakeTests.decode(answer)?.refusal == expected)
            let reason = await a.events.first { event -> Handshake.Refusal? in
                if case .peerConnectionEnded(_, .refused(let reason)) = event { reason } else { nil }
            }
            #expect(reason == expected)
            await a.stop()
        }

        @Test("a link to the wrong server is refused by our side, one that refuses us is reported")
        func linkRefused() async throws {
            let c = try CarryingServer(3, peers: [PeerID(1): try freeAddress()])
            let a = try CarryingServer(1, peers: [PeerID(2): c.address])
            let wrong = await a.events.first { event -> Handshake.Refusal? in
                if case .linkFailed(_, .refused(let refusal), _) = event { refusal } else { nil }
            }
            #expect(wrong == .wrongNode)
            await a.stop()

            let stranger = try CarryingServer(7, peers: [PeerID(3): c.address])
            let refusal = await stranger.events.first { event -> Handshake.Refusal? in
                if case .linkFailed(_, .refusedByPeer(let refusal), _) = event { refusal } else { nil }
            }
            #expect(refusal == .unknownNode)
            await stranger.stop()
            await c.stop()
        }

        @Test(
            "a server that connects and is not who it should be is told so by our link, in whatever pieces the reason arrives"
        )
        func farewell() async throws {
            let listener = try Socket.listen(on: .loopback(port: 0))
            let a = try CarryingServer(1, peers: [PeerID(2): try #require(listener.localAddress)])
            blockUntilReady(listener, for: .readable)
            guard case .accepted(let accepted) = listener.accept() else {
                Issue.record("the link did not connect")
                return
            }
            // Its data directory is another one than the sink knows.
            let answer = Handshake(
                cluster: HandshakeTests.cluster,
                node: PeerID(2),
                incarnation: HandshakeTests.strangeIncarnation
            )
            #expect(send(answer.encode(), on: accepted) == .bytes(Handshake.sizeBytes))
            let said = try #require(RawClient(connecting: accepted).untilClosed())
            #expect(said.count == 2 * Handshake.sizeBytes)
            #expect(try HandshakeTests.decode(Array(said.suffix(Handshake.sizeBytes)))?.refusal == .incarnation)
            await a.stop()

            // The same from the other side.
            let c = try CarryingServer(3, peers: [PeerID(1): try freeAddress()])
            let client = try RawClient(to: c.address)
            var hello = Handshake(cluster: HandshakeTests.cluster, node: PeerID(1), incarnation: 1)
            _ = send(hello.encode(), on: client.socket)
            hello.refusal = .incarnation
            for piece in [hello.encode()[..<6], hello.encode()[6...]] { _ = send(Array(piece), on: client.socket) }
            let refusal = await c.events.first { event -> Handshake.Refusal? in
                if case .peerConnectionEnded(PeerID(1), .refusedByPeer(let refusal)) = event { refusal } else { nil }
            }
            #expect(refusal == .incarnation)
            await c.stop()
        }

        @Test("a connection that does not introduce itself in time is closed")
        func handshakeTimeout() async throws {
            let a = try CarryingServer(1, peers: [PeerID(2): try freeAddress()]) {
                $0.handshakeTimeout = .milliseconds(30)
            }
            let client = try RawClient(to: a.address)
            _ = send(Array("CONC".utf8), on: client.socket)
            #expect(client.untilClosed() == [])
            let ended: Bool = await a.events.first { event in
                if case .peerConnectionEnded(nil, .timeout) = event { true } else { nil }
            }
            #expect(ended)
            await a.stop()
        }

        @Test("nothing is left behind when a transport has stopped")
        func nothingLeft() async {
            // In a process of its own, so that the descriptors of other tests do not count.
            await #expect(processExitsWith: .success) {
                // Dispatch opens descriptors of its own when it is first used.
                do { await (try CarryingServer(1, peers: [:])).stop() }
                let before = try openDescriptors()
                do {
                    let (a, b) = try Self.pair()
                    #expect(await a.sink.inbox.next() == .up(PeerID(2)))
                    #expect(await b.sink.inbox.next() == .up(PeerID(1)))
                    await a.stop()
                    await b.stop()
                }
                #expect(try descriptorsReturn(to: before))
            }
        }
    }
}
