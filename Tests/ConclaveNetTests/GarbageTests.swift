import ConclaveNet
import Foundation
import Testing

extension Loopback {
    @Suite("Garbage on the peer port")
    struct GarbageTests {
        /// A connection that has introduced itself as peer 2.
        private static func introduced(to server: CarryingServer) throws -> RawClient {
            let client = try RawClient(to: server.address)
            _ = send(HandshakeTests.hello.encode(), on: client.socket)
            blockUntilReady(client.socket, for: .readable)
            #expect(receive(Handshake.sizeBytes, on: client.socket).1.count == Handshake.sizeBytes)
            return client
        }

        /// Why the server closed an accepted connection.
        private static func ending(_ server: CarryingServer) async -> LinkFailure {
            await server.events.first { if case .peerConnectionEnded(_, let failure) = $0 { failure } else { nil } }
        }

        private static func server() throws -> CarryingServer {
            try CarryingServer(1, peers: [PeerID(2): try freeAddress()])
        }

        @Test("a length of 1 GB closes the connection before its bytes are read")
        func hugeLength() async throws {
            let server = try Self.server()
            let client = try Self.introduced(to: server)
            _ = send([0, 0, 0, 0x40], on: client.socket)
            #expect(client.untilClosed() == [])
            let failure = await Self.ending(server)
            guard case .badFrame(.tooLong(1 << 30, 64 << 20)) = failure else {
                Issue.record("unexpected: \(failure)")
                return
            }
            await server.stop()
        }

        @Test("a frame that the receiver cannot understand closes the connection; frames before it count")
        func badPayload() async throws {
            let server = try Self.server()
            let client = try Self.introduced(to: server)
            _ = send([1, 0, 0, 0, 5, 1, 0, 0, 0, CollectingSink.nonsense, 1, 0, 0, 0, 6], on: client.socket)
            #expect(client.untilClosed() == [])
            #expect(await server.sink.inbox.next() == .frame([5], from: PeerID(2)))
            guard case .badPayload(let error) = await Self.ending(server), error is BadPayload else {
                Issue.record("not reported as a bad payload")
                return
            }
            await server.stop()
        }

        @Test("half a frame and then the end is an end, not a frame")
        func halfFrame() async throws {
            let server = try Self.server()
            let client = try Self.introduced(to: server)
            _ = send([10, 0, 0, 0, 1, 2, 3], on: client.socket)
            client.socket.shutdown()
            guard case .closed = await Self.ending(server) else {
                Issue.record("not reported as closed")
                return
            }
            await server.stop()
        }

        @Test("another protocol is refused by its first bytes")
        func otherProtocol() async throws {
            let server = try Self.server()
            let client = try RawClient(to: server.address)
            _ = send(Array("GET / HTTP/1.1\r\n\r\n".utf8), on: client.socket)
            #expect(client.untilClosed() == [])
            guard case .refused(.badMagic) = await Self.ending(server) else {
                Issue.record("not reported as a bad magic")
                return
            }
            await server.stop()
        }

        @Test("hundreds of connections with garbage leave descriptors and memory as they were, and the server serves")
        func flood() async {
            // In a process of its own, so that the descriptors and the memory of other tests do not count.
            await #expect(processExitsWith: .success) {
                var generator = SeededGenerator(seed: seed(for: "GarbageTests"))
                let server = try Self.server()
                // Once around, so that pools and buffers have their size.
                try await Self.flood(server, rounds: 100, &generator)
                let descriptors = try openDescriptors()
                let memory = residentBytes()
                try await Self.flood(server, rounds: 400, &generator)
                #expect(try descriptorsReturn(to: descriptors))
                #expect(residentBytes() < memory + 8 * 1024 * 1024)

                let client = try Self.introduced(to: server)
                _ = send([2, 0, 0, 0, 7, 7], on: client.socket)
                _ = await server.sink.inbox.first { $0 == .frame([7, 7], from: PeerID(2)) ? true : nil }
                await server.stop()
            }
        }

        private static func flood(
            _ server: CarryingServer,
            rounds: Int,
            _ generator: inout SeededGenerator
        ) async throws {
            for round in 0..<rounds {
                let client = try round % 2 == 0 ? RawClient(to: server.address) : introduced(to: server)
                var garbage = generator.bytes(Int.random(in: 1...20_000, using: &generator))
                if round % 2 == 1 {
                    // A plausible frame first, then a length that is none: it must not be read as the start of a long frame.
                    garbage.replaceSubrange(0..<1, with: [1, 0, 0, 0, 5, 0xFF, 0xFF, 0xFF, 0xFF])
                }
                _ = send(garbage, on: client.socket)
                client.socket.shutdown()
                _ = await ending(server)
            }
        }
    }
}

/// The process's resident memory.
func residentBytes() -> Int {
    #if os(Linux)
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        return (Int(text.split(separator: " ")[1]) ?? 0) * 4096
    #else
        var information = mach_task_basic_info()
        var count = mach_msg_type_number_t(MemoryLayout<mach_task_basic_info>.size / MemoryLayout<natural_t>.size)
        // SAFETY: the structure is made of whole natural_t, and `count` says how many fit.
        withUnsafeMutablePointer(to: &information) { pointer in
            pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
                _ = task_info(mach_task_self_, task_flavor_t(MACH_TASK_BASIC_INFO), $0, &count)
            }
        }
        return Int(information.resident_size)
    #endif
}
