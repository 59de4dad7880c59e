// Which traps a system survives, and how an actor that trapped is seen from outside.

/// Whether an actor that traps fails alone, or ends the process as usual.
///
/// A trap is what Swift does about an index out of range, a nil that was unwrapped, an overflow, a failed precondition, `fatalError`;
/// a stack overflow is one too. With isolation the actor ends with `failed(ActorTrap.trapped)`, its supervisor decides as about any
/// other failure, and other actors notice nothing. Linux only; elsewhere every trap ends the process.
///
/// What it costs: **the thread that trapped is stopped for ever**, with all that its frames hold. It is one of the 255 that Dispatch
/// makes, its memory is not given back, and
/// - the message it was handling and the behaviour's stored values are leaked, and so is whatever else the frames retained, the
///   system object perhaps; no `deinit` and no `stopping` hook runs for them.
/// - a lock that the handler held stays locked. Whoever needs it waits for ever: an actor that shares locks with others should not be
///   relied on to survive. The locks of the allocator, of Dispatch and of Swift's runtime are among those if memory was damaged or the
///   stack overflows just there. The library's own are not: a trap while one of them is held is not survived.
/// - an ask whose token lies in those frames ends by its timeout; tokens dropped before the trap fail with `restarted` or `stopped`.
///   Messages that wait are kept for the next incarnation, as after any failure.
///
/// Not survived: a trap outside of an actor's handlers and hooks (in a task, in `started` called by a thread of the program's own, in
/// the `deinit` of a message that nobody received), one in the library's own short sections, more traps than the
/// limit, `abort()`, and signals that another process sends. Those go to the handler that was installed before, and so usually end
/// the process.
public struct TrapIsolation: Sendable, Hashable {
    /// Traps survived before the next one ends the process; 0 for none.
    let limit: Int

    /// Every trap ends the process.
    public static let off = TrapIsolation(limit: 0)

    /// The first `limit` traps of the system's actors are survived: 1 to 128.
    public static func upTo(_ limit: Int) -> TrapIsolation {
        precondition((1...128).contains(limit), "trap isolation takes a limit from 1 to 128")
        return TrapIsolation(limit: limit)
    }
}

/// How an actor failed that trapped: the error in `ExitReason.failed`.
public enum ActorTrap: Error, Hashable {
    /// The processor stopped it, with this signal.
    case trapped(TrapSignal)
}

/// The signal of a trap.
public struct TrapSignal: Hashable, Sendable {
    /// Its number on this platform.
    public let number: Int32
}

extension ActorTrap: CustomStringConvertible {
    /// For people to read.
    public var description: String {
        switch self {
        case .trapped(let signal): "trapped(\(signal))"
        }
    }
}
