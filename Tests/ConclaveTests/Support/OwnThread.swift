import Conclave
import Foundation

/// Runs `body` on a thread of its own and waits for it: a long loop must not hold a thread that Swift's tasks share.
func onOwnThread(_ body: @escaping @Sendable () -> Void) async {
    // A thread lets go of its block after the caller goes on perhaps, who may look whether anybody still holds what `body` does.
    let held = Guarded<(@Sendable () -> Void)?>(body)
    await withCheckedContinuation { continuation in
        Thread {
            held.withLock { $0 }?()
            held.withLock { $0 = nil }
            continuation.resume()
        }.start()
    }
}
