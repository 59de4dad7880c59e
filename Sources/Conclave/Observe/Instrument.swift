// What follows every message of a system: the seam for traces and metrics.

/// Is told of each actor and each message of a system, if `ActorSystem` is given one. Without one nothing is told, and nothing paid.
///
/// All calls are made where things happen, on the thread that sends or runs: they must be short, must not block, and come from many
/// threads at a time. What an instrument is not interested in has an empty default.
///
/// A mark is the instrument's own: a time, the number of a span. It travels with the message.
///
/// Waiting times for a metrics library, for example:
/// ```swift
/// struct Waits: Instrument {
///     let record: @Sendable (_ actor: String, _ wait: UInt64) -> Void
///     func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64 { DispatchTime.now().uptimeNanoseconds }
///     func handlerBegins(in actor: ActorInfo, mark: UInt64?) {
///         if let mark { record(actor.path, DispatchTime.now().uptimeNanoseconds - mark) }
///     }
/// }
/// ```
public protocol Instrument: Sendable {
    /// A message is about to be sent, by `sender` if an actor sends it. Returns the mark that travels with it.
    func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64
    /// The actor begins to handle a message, on this thread. `mark` is that of its sending; nil for a DOWN, a timer, an answer
    /// and for a message out of the stash.
    func handlerBegins(in actor: ActorInfo, mark: UInt64?)
    /// The handler that began last on this thread, but for those that ended, is over; `error` is what it threw.
    func handlerEnded(in actor: ActorInfo, error: (any Error)?)
    /// An incarnation has started; the first is number 1. Starts that failed are counted, and not told.
    func actorStarted(_ actor: ActorInfo, incarnation: Int)
    /// The actor has ended for good.
    func actorEnded(_ actor: ActorInfo, reason: ExitReason)
}

extension Instrument {
    /// No mark: 0.
    public func messageSent(to actor: ActorInfo, from sender: ActorInfo?) -> UInt64 { 0 }
    /// Does nothing.
    public func handlerBegins(in actor: ActorInfo, mark: UInt64?) {}
    /// Does nothing.
    public func handlerEnded(in actor: ActorInfo, error: (any Error)?) {}
    /// Does nothing.
    public func actorStarted(_ actor: ActorInfo, incarnation: Int) {}
    /// Does nothing.
    public func actorEnded(_ actor: ActorInfo, reason: ExitReason) {}
}

/// An actor as instruments see it. Cheap to make and to copy; what costs more is computed when it is asked for.
public struct ActorInfo: Sendable, Hashable {
    private let cell: ActorCell

    init(_ cell: ActorCell) { self.cell = cell }

    /// Where it is in its system's tree.
    public var path: String { cell.path }
    /// What it understands.
    public var messageType: Any.Type { cell.header.pointee.runtime.messageType }

    /// Whether both are the same actor.
    public static func == (a: Self, b: Self) -> Bool { a.cell === b.cell }
    /// By identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(cell)) }
}
