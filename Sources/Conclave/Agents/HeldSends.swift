// What an action sends to agents, until it is known whether the action succeeds.

/// Sends that wait for the end of the action that made them. Only touched by the thread that runs the action.
@usableFromInline
final class HeldSends {
    private var sends: [() -> Void] = []
    @usableFromInline var isEmpty: Bool { sends.isEmpty }

    init() {}

    @usableFromInline
    func hold(_ send: @escaping () -> Void) { sends.append(send) }

    /// The action has succeeded.
    @usableFromInline
    func release() {
        let ready = sends
        sends = []
        for send in ready { send() }
    }

    /// The action has failed.
    func drop() { sends = [] }

    /// Runs an action that may throw; it changes `state` and sends only if it does not.
    func attempt<State>(_ action: (inout State) throws -> Void, on state: inout State) throws {
        var attempted = state
        let thread = ThreadState.current
        let before = thread.pointee.heldSends
        thread.pointee.heldSends = .passUnretained(self)
        defer { thread.pointee.heldSends = before }
        do { try action(&attempted) } catch {
            drop()
            throw error
        }
        thread.pointee.heldSends = before
        state = attempted
        release()
    }
}
