// Those who wait for their turn: served in the order of their coming, and free to leave.

/// A waiting line. Each place has a ticket, by which it is found when somebody leaves early.
struct WaitingLine<Waiter> {
    /// Increasing numbers: the line is sorted by them.
    typealias Ticket = UInt64

    /// Invariant: neither the first nor, if there are more than `emptyPlacesKept`, half of the places are empty.
    private var places: Ring<(ticket: Ticket, waiter: Waiter?)> = Ring()
    private var emptyPlaces = 0
    private var nextTicket: Ticket = 1
    private static var emptyPlacesKept: Int { 16 }

    /// How many wait.
    var count: Int { places.count - emptyPlaces }
    var isEmpty: Bool { count == 0 }

    mutating func join(_ waiter: Waiter) -> Ticket {
        defer { nextTicket += 1 }
        places.append((nextTicket, waiter))
        return nextTicket
    }

    /// Whose turn it is.
    mutating func popFirst() -> Waiter? {
        let waiter = places.popFirst()?.waiter
        trim()
        return waiter
    }

    /// Gives up a place. Nil: it has been served.
    mutating func leave(_ ticket: Ticket) -> Waiter? {
        guard let offset = find(ticket), let waiter = places[offset].waiter else { return nil }
        places[offset].waiter = nil
        emptyPlaces += 1
        trim()
        if emptyPlaces > Self.emptyPlacesKept, emptyPlaces > places.count / 2 { closeRanks() }
        return waiter
    }

    private func find(_ ticket: Ticket) -> Int? {
        var low = 0
        var high = places.count
        while low < high {
            let middle = (low + high) / 2
            if places[middle].ticket < ticket { low = middle + 1 } else { high = middle }
        }
        return low < places.count && places[low].ticket == ticket ? low : nil
    }

    private mutating func trim() {
        while let first = places.first, first.waiter == nil {
            _ = places.popFirst()
            emptyPlaces -= 1
        }
    }

    private mutating func closeRanks() {
        var closed: Ring<(ticket: Ticket, waiter: Waiter?)> = Ring()
        while let place = places.popFirst() {
            if place.waiter != nil { closed.append(place) }
        }
        places = closed
        emptyPlaces = 0
    }
}
