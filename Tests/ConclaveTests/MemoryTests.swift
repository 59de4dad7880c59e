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
