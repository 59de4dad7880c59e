// The suite of all tests that open sockets. They run one after the other: a machine with two processors and many tests at once
// would make them slow, not better. What counts for the whole process, descriptors and memory, runs in a process of its own.

import Foundation
import Synchronization
import Testing

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

@Suite("Loopback", .serialized, .timeLimit(.minutes(2)))
enum Loopback {}

/// How many descriptors this process has open, but for timers: Dispatch opens one for the whole process when some code first
/// waits for a clock, the test runner's own time limit for example, and keeps it.
func openDescriptors() throws -> Int {
    #if os(Linux)
        let folder = "/proc/self/fd"
        return try FileManager.default.contentsOfDirectory(atPath: folder).count { name in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\(name)")
            return target != "anon_inode:[timerfd]"
        }
    #else
        return try FileManager.default.contentsOfDirectory(atPath: "/dev/fd").count
    #endif
}

/// Whether no more descriptors than `count` are open, now or within ten seconds.
///
/// Closing has no event to wait for: the last reference to a socket goes after its client has seen the end, and Dispatch closes
/// what it keeps for a cancelled source or timer on its own manager thread. A leak never comes back.
func descriptorsReturn(to count: Int) throws -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while try openDescriptors() > count {
        if ContinuousClock.now > deadline { return false }
        sched_yield()
    }
    return true
}

/// Counts tokens that have not been released yet.
final class AliveCount: Sendable {
    final class Token: Sendable {
        private let owner: AliveCount
        fileprivate init(_ owner: AliveCount) { self.owner = owner }
        deinit { owner.released() }
    }

    private let count = Atomic(0)
    private let ended = Notifications()

    func token() -> Token {
        count.add(1, ordering: .acquiringAndReleasing)
        return Token(self)
    }

    private func released() {
        count.subtract(1, ordering: .acquiringAndReleasing)
        ended.add()
    }

    /// Waits until all tokens are released. The suite's time limit ends a wait in vain.
    func waitForNone() async {
        while count.load(ordering: .acquiring) > 0 { await ended.next() }
    }
}
