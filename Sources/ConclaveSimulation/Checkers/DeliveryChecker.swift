// The contract of delivery: per pair of actors in the order sent, exactly once or a dead letter.

/// Watches numbered messages between pairs of actors and complains of what the contract forbids.
///
/// Number what a sender sends to a receiver with `sent`, carry the number in the message, and tell `received` on the other side.
/// A checker belongs to one simulation and is used from its thread.
public struct DeliveryChecker: Sendable {
    private struct Pair: Hashable, Comparable {
        var sender: Int
        var receiver: Int

        static func < (left: Pair, right: Pair) -> Bool {
            (left.sender, left.receiver) < (right.sender, right.receiver)
        }
    }

    private struct Progress {
        var sent = 0
        var received = 0
    }

    private var pairs: [Pair: Progress] = [:]

    /// A checker that has seen nothing.
    public init() {}

    /// The number of the next message from `sender` to `receiver`, from 0 on.
    public mutating func sent(from sender: Int, to receiver: Int) -> Int {
        let pair = Pair(sender: sender, receiver: receiver)
        pairs[pair, default: Progress()].sent += 1
        return pairs[pair, default: Progress()].sent - 1
    }

    /// A message arrived. Nil, or what is wrong with that: a message before it is missing, or it came before.
    public mutating func received(_ number: Int, from sender: Int, by receiver: Int) -> String? {
        let pair = Pair(sender: sender, receiver: receiver)
        let progress = pairs[pair] ?? Progress()
        let what = "message \(number) from actor \(sender) to actor \(receiver)"
        if number >= progress.sent { return "\(what) was never sent" }
        if number < progress.received { return "\(what) arrived twice, or after one that was sent later" }
        if number > progress.received { return "\(what) arrived before message \(progress.received)" }
        pairs[pair]?.received += 1
        return nil
    }

    /// What is missing when nothing is under way any more: nil, or the first pair with a message that did not arrive.
    ///
    /// - Parameter deadLetters: how many messages became dead letters; they account for as many missing ones.
    public func missing(deadLetters: Int = 0) -> String? {
        let lost = pairs.filter { $0.value.received < $0.value.sent }.sorted { $0.key < $1.key }
        let count = lost.reduce(0) { $0 + $1.value.sent - $1.value.received }
        guard count != deadLetters else { return nil }
        let first = lost.first.map { " first from actor \($0.key.sender) to actor \($0.key.receiver)" } ?? ""
        return "\(count) messages did not arrive, \(deadLetters) are dead letters;\(first)"
    }
}
