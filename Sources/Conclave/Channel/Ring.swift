// A queue in one array: in at the end, out at the front, both in constant time.

/// A first-in first-out queue. Its memory grows by doubling and is given back when the queue has run empty.
struct Ring<Element> {
    /// An empty ring keeps memory for this many elements.
    private static var keptCapacity: Int { 64 }

    /// Invariant: its count is zero or a power of two; exactly the slots from `head`, `count` of them, are not nil.
    private var slots: [Element?] = []
    private var head = 0
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }
    var first: Element? { isEmpty ? nil : slots[head] }

    mutating func append(_ element: Element) {
        if count == slots.count { grow() }
        slots[(head + count) & (slots.count - 1)] = element
        count += 1
    }

    mutating func popFirst() -> Element? {
        guard count > 0 else { return nil }
        let element = slots[head].take()
        head = (head + 1) & (slots.count - 1)
        count -= 1
        if count == 0, slots.count > Self.keptCapacity { self = Ring() }
        return element
    }

    /// The element `offset` places behind the first.
    subscript(offset: Int) -> Element {
        get { slots[(head + offset) & (slots.count - 1)].unsafelyUnwrapped }
        set { slots[(head + offset) & (slots.count - 1)] = newValue }
    }

    private mutating func grow() {
        var larger: [Element?] = []
        larger.reserveCapacity(max(4, 2 * slots.count))
        for offset in 0..<count { larger.append(self[offset]) }
        while larger.count < max(4, 2 * count) { larger.append(nil) }
        slots = larger
        head = 0
    }
}
