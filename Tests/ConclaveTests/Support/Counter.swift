import Synchronization

/// A number that many threads count up.
final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func up(by step: Int = 1) { count.add(step, ordering: .relaxed) }
}
