// A big vector is summed by all cores: split, sum the parts, add up.

import Conclave
import DemoSupport

/// Sums one part of a vector. The vector is shared, not copied: it is a value that nobody changes.
@Sendable
func sum(_ vector: [UInt8], _ part: Range<Int>) -> Int {
    vector.withUnsafeBufferPointer { numbers in
        var total = 0
        for index in part { total &+= Int(numbers[index]) }
        return total
    }
}

@main
struct ParallelSumDemo {
    static func main() async throws {
        let cores = ActorSystem.processorCount
        let demo = Demo(
            "parallel-sum",
            about: """
                ParallelSum: a vector is cut into parts, and the workers of a pool, one for each of \(cores) cores, pull a part when they have
                done one. More parts than workers: a core that others keep busy simply does fewer.
                """,
            options: ["numbers": 100_000_000]
        )
        let count = demo.numbers["numbers", default: 100_000_000]
        let vector = [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
            for index in 0..<count { memory[index] = UInt8(truncatingIfNeeded: index &* 31 &+ index >> 8) }
            initialized = count
        }
        let system = ActorSystem("parallel-sum")
        let pool = try WorkerPool(in: system, perform: { (part: Range<Int>) in sum(vector, part) })
        let clock = ContinuousClock()

        demo.part("\(count) numbers on one core")
        var expected = 0
        let alone = bestOfThree { expected = sum(vector, 0..<count) }
        print("   \(expected) after \(alone.text)")

        demo.part("The same on \(cores)")
        let size = max(1, count / (16 * cores))
        let parts = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
        var total = 0
        var together = Duration.seconds(1_000)
        for _ in 0..<3 {
            let start = clock.now
            total = try await withThrowingTaskGroup(of: Int.self) { group in
                for part in parts { group.addTask { try await pool.submit(part, timeout: .seconds(60)) } }
                var total = 0
                for try await part in group { total += part }
                return total
            }
            together = min(together, clock.now - start)
        }
        print("   \(total) after \(together.text), in \(parts.count) parts")
        demo.expect(total == expected, "the sums agree")
        let speedUp =
            (Double(alone.components.attoseconds) / 1e18 + Double(alone.components.seconds))
            / (Double(together.components.attoseconds) / 1e18 + Double(together.components.seconds))
        print("   speed-up: \((speedUp * 100).rounded() / 100) on \(cores) cores (best of three runs each)")
        await system.shutdown()
    }

    static func bestOfThree(_ body: () -> Void) -> Duration {
        let clock = ContinuousClock()
        return min(clock.measure(body), clock.measure(body), clock.measure(body))
    }
}
