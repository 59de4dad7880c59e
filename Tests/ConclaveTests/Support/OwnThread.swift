import Foundation

/// Runs `body` on a thread of its own and waits for it: a long loop must not hold a thread that Swift's tasks share.
func onOwnThread(_ body: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
        Thread {
            body()
            continuation.resume()
        }.start()
    }
}
