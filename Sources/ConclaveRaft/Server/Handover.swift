// How something with one owner gets into an actor.

import Synchronization

/// Passes one value on to the one actor that will own it, and keeps nothing of it: what a `spawn` closure captures lives as long as
/// the actor is referred to, and would make the first change to a captured log a copy.
final class Handover<Value>: @unchecked Sendable {
    // SAFETY: `value` is only touched under the mutex, and taken once.
    private var value: Value?
    private let mutex = Mutex(())

    init(_ value: Value? = nil) { self.value = value }

    func put(_ value: Value) { mutex.withLock { _ in self.value = value } }

    func take() -> Value {
        mutex.withLock { _ in
            guard let taken = value.take() else {
                preconditionFailure("\(Value.self) was handed over twice, or not at all")
            }
            return taken
        }
    }
}
