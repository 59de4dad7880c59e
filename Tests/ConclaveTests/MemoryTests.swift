import Conclave
import Foundation
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite struct MemoryTests {
    @Test("a million actors that start and stop leave memory flat")
    func spawnStop() async {
        #if os(Linux)
            // In a process of its own, so that other tests' memory does not count.
            await #expect(processExitsWith: .success) {
                let system = ActorSystem("cycles")
                try await Self.cycles(100_000, in: system)
                let before = try Self.residentBytes()
                try await Self.cycles(900_000, in: system)
                let after = try Self.residentBytes()
                await system.shutdown()
                #expect(system.liveCellCount == 0 && system.threadCount == 0 && system.liveTimerCount == 0)
                // Ten bytes an actor would be nine million.
                #expect(after - before < 8_000_000, "\(before) bytes before, \(after) after")
            }
        #endif
    }

    private struct Idler: Behavior {
        enum Message { case add(Int, Reply<Int>?) }
        var total = 0

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
            guard case .add(let value, let reply) = consume message else { return }
            total += value
            reply?(total)
        }
    }

    @Test("a million idle actors take less than 300 MB, with their supervision links and the references that keep them")
    func idle() async {
        #if os(Linux)
            await #expect(processExitsWith: .success) {
                let system = ActorSystem("idle")
                var actors: [ActorRef<Idler.Message>] = []
                actors.reserveCapacity(1_000_000)
                let before = try Self.residentBytes()
                while actors.count < 1_000_000 {
                    let actor = try system.spawn { Idler() }
                    actors.append(actor)
                    // Now and then a rest: what waits in mailboxes is not to be measured.
                    if actors.count % 1000 > 0 {
                        actor.send(.add(1, nil))
                    } else {
                        _ = try await actor.ask { .add(1, $0) }
                    }
                }
                let after = try Self.residentBytes()
                #expect(after - before < 300_000_000, "\(after - before) bytes")
                #expect(system.liveCellCount > 1_000_000)
                await system.shutdown()
            }
        #endif
    }

    /// Starts and stops `count` actors, at most a thousand at a time.
    private static func cycles(_ count: Int, in system: ActorSystem) async throws {
        for _ in 0..<count / 1000 {
            var last: ActorRef<Puppet.Message>?
            for _ in 0..<1000 {
                let actor = try system.spawn { Puppet() }
                actor.stop()
                last = actor
            }
            _ = await last?.terminated()
        }
    }

    private static func residentBytes() throws -> Int {
        let fields = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
        return (Int(fields[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    }
}
