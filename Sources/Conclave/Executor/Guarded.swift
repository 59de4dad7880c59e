// A value and the lock that guards it. The toolchain's Mutex is slow under contention on Linux, and the thread sanitizer does not
// know it there.

/// A value that is only reached under a `SpinLock`: for sections of a few instructions, that neither block nor call out.
package struct Guarded<Value>: ~Copyable {
    private let lock = SpinLock()
    private let value: UnsafeMutablePointer<Value>

    package init(_ value: consuming sending Value) {
        self.value = .allocate(capacity: 1)
        self.value.initialize(to: value)
    }

    deinit {
        value.deinitialize(count: 1)
        value.deallocate()
    }

    /// Runs `body` with nobody else in it.
    package borrowing func withLock<Result: ~Copyable, Failure: Error>(
        _ body: (inout sending Value) throws(Failure) -> sending Result
    ) throws(Failure) -> sending Result {
        lock.lock()
        defer { lock.unlock() }
        return try body(&value.pointee)
    }
}

// SAFETY: `value` is only dereferenced under `lock`; the value was sent in, and only what is sent leaves.
extension Guarded: @unchecked Sendable {}
