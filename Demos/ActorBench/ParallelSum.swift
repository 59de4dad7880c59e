// One big sum, divided among as many actors as there are processors.

import Conclave
import Dispatch

extension Benchmark {
    static let parallelSum = Benchmark(
        name: "parallel-sum",
        title: "numbers added up by one actor for each processor, out of one array of 100,000,000",
        operations: 100_000_000,
        contenders: [
            .conclave { try await conclaveSum($0) },
            .swiftActor { await actorSum($0) },
            .dispatchQueue { await queueSum($0) },
            Contender(name: "one-thread", fraction: 1) { await plainSum($0) },
        ],
        remark: "an AsyncStream has nothing to add here: each worker takes one message"
    )
}

private func numbers(_ count: Int) -> [Int64] { (0..<count).map { Int64($0 & 1_023) } }

private func addUp(_ numbers: [Int64], _ range: Range<Int>) -> Int64 {
    numbers.withUnsafeBufferPointer { buffer in
        var total: Int64 = 0
        for index in range { total &+= buffer[index] }
        return total
    }
}

private func check(_ total: Int64, _ count: Int) {
    let cycles = Int64(count / 1_024)
    let rest = Int64(count % 1_024)
    precondition(total == cycles * (1_023 * 1_024 / 2) + rest * (rest - 1) / 2, "a number is missing")
}

private func parts(_ count: Int) -> [Range<Int>] {
    let workers = ActorSystem.processorCount
    return (0..<workers).map { count * $0 / workers..<count * ($0 + 1) / workers }
}

// MARK: Conclave

private struct Adder: Behavior {
    enum Message { case add([Int64], Range<Int>, Reply<Int64>) }

    mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) {
        switch consume message {
        case .add(let numbers, let range, let reply): reply(addUp(numbers, range))
        }
    }
}

private func conclaveSum(_ count: Int) async throws -> Double {
    let numbers = numbers(count)
    return try await withSystem { system in
        try await rate(count) {
            let total = try await withThrowingTaskGroup(of: Int64.self) { group in
                for part in parts(count) {
                    let adder = try system.spawn { Adder() }
                    group.addTask { try await adder.ask(timeout: .seconds(60)) { .add(numbers, part, $0) } }
                }
                return try await group.reduce(0, &+)
            }
            check(total, count)
        }
    }
}

// MARK: Swift's actors

private actor NativeAdder {
    private var total: Int64 = 0

    func add(_ numbers: [Int64], _ range: Range<Int>) -> Int64 {
        total = addUp(numbers, range)
        return total
    }
}

private func actorSum(_ count: Int) async -> Double {
    let numbers = numbers(count)
    return await rate(count) {
        let total = await withTaskGroup(of: Int64.self) { group in
            for part in parts(count) { group.addTask { await NativeAdder().add(numbers, part) } }
            return await group.reduce(0, &+)
        }
        check(total, count)
    }
}

// MARK: Serial queues

private func queueSum(_ count: Int) async -> Double {
    let numbers = numbers(count)
    return await rate(count) {
        let parts = parts(count)
        let queues = parts.map { _ in DispatchQueue(label: "adder") }
        await withTaskGroup(of: Int64.self) { group in
            for (queue, part) in zip(queues, parts) {
                group.addTask {
                    await withCheckedContinuation { continuation in
                        queue.async { continuation.resume(returning: addUp(numbers, part)) }
                    }
                }
            }
            let total = await group.reduce(0, &+)
            check(total, count)
        }
    }
}

// MARK: One thread, to see the speed-up

private func plainSum(_ count: Int) async -> Double {
    let numbers = numbers(count)
    return await rate(count) { check(addUp(numbers, 0..<count), count) }
}
