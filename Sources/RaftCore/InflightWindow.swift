// What is under way to one peer.

/// The unacknowledged messages to one peer: a ring of their last indexes, bounded by count and by bytes.
struct InflightWindow: Sendable {
    private let messageLimit: Int
    private let byteLimit: Int
    /// Grows to the most ever under way, at most `messageLimit`, and is then used round and round.
    private var ring: [(last: LogIndex, bytes: Int)] = []
    private var head = 0
    private(set) var count = 0
    /// Invariant: the sum over the ring's live part.
    private(set) var bytes = 0

    init(messages: Int, bytes: Int) {
        messageLimit = messages
        byteLimit = bytes
    }

    var isFull: Bool { count >= messageLimit || bytes >= byteLimit }

    /// One more message, whose last entry is at `last`.
    mutating func add(last: LogIndex, bytes more: Int) {
        precondition(count < messageLimit, "a message was sent beyond the window")
        if count == ring.count {
            ring = Array(ring[head...]) + ring[..<head]
            head = 0
            ring.append((last, more))
        } else {
            ring[(head + count) % ring.count] = (last, more)
        }
        count += 1
        bytes += more
    }

    /// All messages up to `index` have arrived.
    mutating func release(upTo index: LogIndex) {
        while count > 0 && ring[head].last <= index {
            bytes -= ring[head].bytes
            head = (head + 1) % ring.count
            count -= 1
        }
    }

    mutating func removeAll() {
        head = 0
        count = 0
        bytes = 0
    }
}
