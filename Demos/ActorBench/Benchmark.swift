// What a benchmark is, and the list of them.

/// One kind of work and those that do it.
struct Benchmark: Sendable {
    var name: String
    /// What an operation is.
    var title: String
    var unit = Unit.operationsPerSecond
    /// Operations in one run of the fastest contender.
    var operations: Int
    /// The number of operations is a multiple of this.
    var granularity = 1
    /// Memory is measured in a process that has done nothing else.
    var needsFreshProcess = false
    var contenders: [Contender]
    /// Why one of the four implementations does not take part.
    var remark: String?

    enum Unit {
        case operationsPerSecond
        case bytesPerActor
    }

    /// Slow contenders do less of the same work.
    func operations(of contender: Contender, _ scale: Scale) -> Int {
        let count =
            switch scale {
            case .full: operations / contender.fraction
            case .quick: granularity == 1 ? min(operations, 2_000) : granularity
            }
        return max(count / granularity, 1) * granularity
    }

    var implementations: String {
        contenders.map(\.name).joined(separator: ", ") + (remark.map { " (\($0))" } ?? "")
    }

    static let all: [Benchmark] = [
        pingPong, pingPong100, oneToOne, eightToOne, ring, spawnStop, idleMemory, big, skynet, askFromTask,
        askFromExecutor,
        agentSend, parallelSum, instrumented,
    ]
}

/// One implementation of a benchmark.
struct Contender: Sendable {
    var name: String
    /// Does one of so many parts of the operations.
    var fraction: Int
    /// Does that many operations and returns the benchmark's unit.
    var run: @Sendable (_ operations: Int) async throws -> Double

    static func conclave(fraction: Int = 1, _ run: @escaping @Sendable (Int) async throws -> Double) -> Contender {
        Contender(name: "conclave", fraction: fraction, run: run)
    }

    static func swiftActor(fraction: Int = 1, _ run: @escaping @Sendable (Int) async throws -> Double) -> Contender {
        Contender(name: "swift-actor", fraction: fraction, run: run)
    }

    static func asyncStream(fraction: Int = 1, _ run: @escaping @Sendable (Int) async throws -> Double) -> Contender {
        Contender(name: "async-stream", fraction: fraction, run: run)
    }

    static func dispatchQueue(fraction: Int = 1, _ run: @escaping @Sendable (Int) async throws -> Double) -> Contender {
        Contender(name: "dispatch-queue", fraction: fraction, run: run)
    }
}

/// The runs of one contender.
struct Measurement {
    var contender: Contender
    var values: [Double] = []

    var median: Double { values.sorted()[values.count / 2] }
}
