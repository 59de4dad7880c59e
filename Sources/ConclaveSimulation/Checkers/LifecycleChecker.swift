// The contract of an actor's life: started once an incarnation, nothing received before it or after its end.

/// Watches the hooks of actors and complains of an order that supervision forbids.
///
/// A checker belongs to one simulation and is used from its thread.
public struct LifecycleChecker: Sendable {
    private enum Life {
        case running
        /// A handler threw: nothing but `stopping` may follow in this incarnation.
        case failing
        case ended
    }

    private var lives: [Int: Life] = [:]
    private var starts: [Int: Int] = [:]

    /// A checker that has seen nothing.
    public init() {}

    /// `started` ran. Nil, or what is wrong with that.
    public mutating func started(_ actor: Int) -> String? {
        defer {
            lives[actor] = .running
            starts[actor, default: 0] += 1
        }
        guard let life = lives[actor], life != .ended else { return nil }
        return "actor \(actor) was started again before its incarnation had ended"
    }

    /// A message was received. Nil, or what is wrong with that.
    public mutating func received(_ actor: Int) -> String? {
        switch lives[actor] {
        case .running: nil
        case .failing: "actor \(actor) received a message after it had failed"
        case .ended: "actor \(actor) received a message after its end"
        case nil: "actor \(actor) received a message before it was started"
        }
    }

    /// A handler is about to throw.
    public mutating func failing(_ actor: Int) { lives[actor] = .failing }

    /// `stopping` ran. Nil, or what is wrong with that.
    public mutating func stopping(_ actor: Int) -> String? {
        defer { lives[actor] = .ended }
        switch lives[actor] {
        case .running, .failing: return nil
        case .ended: return "actor \(actor) was stopped twice"
        case nil: return "actor \(actor) was stopped before it was started"
        }
    }

    /// How often the actor has been started.
    public func starts(of actor: Int) -> Int { starts[actor] ?? 0 }
}
