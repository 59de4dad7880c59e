// Nanoseconds of a clock that never goes back.

#if canImport(Glibc)
    public import Glibc
#elseif canImport(Darwin)
    public import Darwin
#endif

@usableFromInline
enum MonotonicClock {
    /// Nanoseconds since some fixed moment. Pauses of the machine may or may not count.
    @inlinable
    static var now: UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
    }
}
