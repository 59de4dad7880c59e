import Testing

@testable import Conclave

@Suite struct TimerHeapTests {
    @Test("the heap agrees with a sorted list over random insertions, removals and expiries")
    func againstModel() {
        var random = TestRandom.seeded("CONCLAVE_TIMER_SEED")
        var heap = TimerHeap()
        var model: [(deadline: UInt64, entry: TimerEntry)] = []
        var removed: [TimerEntry] = []
        var now: UInt64 = 0
        for _ in 0..<20_000 {
            switch UInt64.random(in: 0..<10, using: &random) {
            case 0..<5:
                let entry = TimerCallback { _ in }
                let deadline = now + UInt64.random(in: 0..<200, using: &random)
                heap.insert(entry, deadline: deadline)
                model.append((deadline, entry))
            case 5..<7:
                guard let position = model.indices.randomElement(using: &random) else { continue }
                let entry = model.remove(at: position).entry
                let wasThere = heap.remove(entry)
                #expect(wasThere)
                removed.append(entry)
            case 7:
                if let entry = removed.randomElement(using: &random) {
                    let wasThere = heap.remove(entry)
                    #expect(!wasThere)
                }
            default:
                now += UInt64.random(in: 0..<20, using: &random)
                while let entry = heap.popDue(at: now) {
                    let position = model.firstIndex { $0.entry === entry }
                    #expect(position != nil)
                    guard let position else { return }
                    #expect(model[position].deadline == model.map(\.deadline).min())
                    #expect(entry.deadline == model[position].deadline)
                    model.remove(at: position)
                    removed.append(entry)
                }
                #expect(model.allSatisfy { $0.deadline > now })
            }
            #expect(heap.count == model.count)
            #expect(heap.nextDeadline == model.map(\.deadline).min())
        }
    }

    @Test("an entry can be inserted again after it was due or removed")
    func reinsertion() {
        var heap = TimerHeap()
        let entry = TimerCallback { _ in }
        heap.insert(entry, deadline: 5)
        let due = heap.popDue(at: 5)
        #expect(due === entry)
        heap.insert(entry, deadline: 7)
        let wasThere = heap.remove(entry)
        #expect(wasThere)
        heap.insert(entry, deadline: 6)
        #expect(heap.nextDeadline == 6)
        heap.removeAll()
        #expect(heap.count == 0)
        let isThere = heap.remove(entry)
        #expect(!isThere)
    }
}
