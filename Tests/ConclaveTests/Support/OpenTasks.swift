/// Tasks under way, each of which has to end.
final class OpenTasks: Sendable {
    private let begun = Counter()
    private let done = Journal<Int>()
    func begin() { begun.up() }
    func end() { done.note(1) }

    /// Whether all of them have ended. On the busiest machine it may take them a while.
    func settled() async -> Bool {
        let count = begun.value
        return await done.first(count, within: 90).count == count
    }

    /// Runs `body` as a task that counts until its end; not if so many run that more would only pile up.
    func run(cancelled: Bool = false, _ body: @escaping @Sendable () async -> Void) {
        if begun.value - done.count > 500 { return }
        begin()
        let task = Task {
            await body()
            end()
        }
        if cancelled { task.cancel() }
    }
}
