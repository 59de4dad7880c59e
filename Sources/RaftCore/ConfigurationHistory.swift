// Which configuration is in force, and which ones were, as far back as the log goes.

/// The configurations in the log, on top of the one in front of it.
///
/// The last one is in force (rule P3). A follower may hold several that it does not know to be committed.
package struct ConfigurationHistory: Sendable {
    private struct Record {
        let index: LogIndex
        let configuration: Configuration
    }

    /// Invariant: never empty; indexes ascend. The first one is that of the snapshot, or the one a cluster began with.
    private var records: [Record]

    /// Starts with what was in force at the log's beginning.
    package init(_ configuration: Configuration, at index: LogIndex) {
        records = [Record(index: index, configuration: configuration)]
    }

    /// The one in force.
    var current: Configuration { records[records.count - 1].configuration }

    /// The entry of the one in force; of the first one, where the log begins.
    var currentIndex: LogIndex { records[records.count - 1].index }

    /// The one that was in force when the entry at `index` was the last one. The index must not lie in front of the log.
    func configuration(at index: LogIndex) -> Configuration {
        guard let record = records.last(where: { $0.index <= index }) else {
            preconditionFailure("no configuration is known for \(index), in front of \(records[0].index)")
        }
        return record.configuration
    }

    /// Whether `id` votes in the last configuration known to be committed, or in any one after it.
    func mayBeVoter(_ id: NodeID, committed: LogIndex) -> Bool {
        for record in records.reversed() {
            if record.configuration.isVoter(id) { return true }
            if record.index <= committed { return false }
        }
        return false
    }

    /// The last configuration known to be committed, and all after it.
    func sinceCommitted(_ committed: LogIndex) -> [Configuration] {
        let first = records.lastIndex { $0.index <= committed } ?? 0
        return records[first...].map(\.configuration)
    }

    /// Notes the configuration of an appended entry.
    mutating func append(_ configuration: Configuration, at index: LogIndex) {
        assert(index > currentIndex)
        records.append(Record(index: index, configuration: configuration))
    }

    /// Notes the configurations among appended entries, which have been checked. Returns whether there were any.
    @discardableResult
    mutating func append(_ entries: ArraySlice<Entry>) -> Bool {
        var found = false
        for entry in entries where entry.kind == .configuration {
            guard let configuration = Configuration(decoding: entry.payload) else {
                preconditionFailure("the configuration at \(entry.index) of \(entry.term) cannot be read")
            }
            append(configuration, at: entry.index)
            found = true
        }
        return found
    }

    /// The log was cut from `index` on. Returns whether another configuration is now in force.
    mutating func truncate(from index: LogIndex) -> Bool {
        let count = records.count
        while records.count > 1 && records[records.count - 1].index >= index { records.removeLast() }
        return records.count < count
    }

    /// The log now begins behind `index`.
    mutating func compact(upTo index: LogIndex) {
        guard let place = records.lastIndex(where: { $0.index <= index }) else { return }
        records.removeFirst(place)
    }
}
