import ConclaveNet
import Testing

func contents(_ queue: borrowing ByteQueue) -> [UInt8] { Array(queue.bytes) }

@Suite("Byte queue")
struct ByteQueueTests {
    @Test("bytes leave in the order in which they came, however they are cut")
    func order() {
        var generator = SeededGenerator(seed: seed(for: "ByteQueueTests"))
        var queue = ByteQueue()
        var model: [UInt8] = []
        for _ in 0..<5_000 {
            if Bool.random(using: &generator) {
                let bytes = generator.bytes(Int.random(in: 0...300, using: &generator))
                queue.append(bytes)
                model += bytes
            } else {
                let count = Int.random(in: 0...model.count, using: &generator)
                queue.removeFirst(count)
                model.removeFirst(count)
            }
            #expect(contents(queue) == model)
        }
    }

    @Test("a queue that is never quite empty stays small")
    func compaction() {
        var queue = ByteQueue()
        queue.append([UInt8](repeating: 1, count: 100))
        for _ in 0..<100_000 {
            queue.append([UInt8](repeating: 2, count: 100))
            queue.removeFirst(100)
        }
        let allocated = queue.allocatedBytes
        #expect(allocated <= 4096)
    }

    @Test("an emptied queue keeps its memory, and gives back what a rare large piece had needed")
    func memory() {
        var queue = ByteQueue()
        queue.append([UInt8](repeating: 1, count: 10_000))
        queue.removeAll()
        let kept = queue.allocatedBytes
        #expect(kept >= 10_000)

        queue.append([UInt8](repeating: 1, count: 500_000))
        queue.removeAll()
        let keptWhileBusy = queue.allocatedBytes
        #expect(keptWhileBusy >= 500_000, "memory that may be needed again soon is kept")
        for _ in 0..<16 {
            queue.append([1])
            queue.removeFirst(1)
        }
        let keptWhileIdle = queue.allocatedBytes
        #expect(keptWhileIdle <= 64 * 1024)

        queue.append([UInt8](repeating: 1, count: 5_000_000))
        queue.removeFirst(5_000_000)
        let keptOfMegabytes = queue.allocatedBytes
        #expect(keptOfMegabytes == 0, "megabytes are given back at once")
    }

    @Test("text and single bytes are appended as they are")
    func pieces() {
        var queue = ByteQueue()
        queue.append("+OK")
        queue.append(UInt8(ascii: "\r"))
        queue.append(UInt8(ascii: "\n"))
        #expect(contents(queue) == Array("+OK\r\n".utf8))
    }
}
