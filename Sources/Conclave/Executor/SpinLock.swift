// A lock for sections of a few instructions. The toolchain's Mutex is slow under contention on Linux.

internal import ConclavePlatform
internal import Synchronization

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// Mutual exclusion for sections that neither block nor call out. Spins briefly, then yields the processor to the holder.
///
/// A trap in such a section, a stack overflow perhaps, is survived by nobody: see `conclave_enter_section`.
struct SpinLock: ~Copyable, Sendable {
    private let isHeld = Atomic<Bool>(false)

    func withLock<Result: ~Copyable, Failure: Error>(
        _ body: () throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        lock()
        defer { unlock() }
        return try body()
    }

    func lock() {
        conclave_enter_section()
        var spins = 0
        // Acquiring: what the previous holder wrote before its releasing store is seen.
        while isHeld.exchange(true, ordering: .acquiring) {
            while isHeld.load(ordering: .relaxed) {
                spins += 1
                if spins < 100 { conclave_cpu_relax() } else { sched_yield() }
            }
        }
    }

    func unlock() {
        isHeld.store(false, ordering: .releasing)
        conclave_leave_section()
    }

    /// One round of waiting for another thread that is in the middle of a few instructions.
    static func pause() { sched_yield() }
}
