// What an actor costs that has received a message and waits for the next.

import Conclave
import Dispatch
import Foundation

extension Benchmark {
    static let idleMemory = Benchmark(
        name: "idle-memory",
        title: "resident bytes for each of 1,000,000 actors that have received one message",
        unit: .bytesPerActor,
        operations: 1_000_000,
        needsFreshProcess: true,
        contenders: [
            .conclave { try await conclaveIdle($0) },
            .swiftActor { await actorIdle($0) },
            .asyncStream(fraction: 4) { await streamIdle($0) },
            .dispatchQueue(fraction: 4) { await queueIdle($0) },
        ]
    )
}

/// Bytes for each actor that `make` makes, with the reference that keeps it.
private func memory<Kept>(_ count: Int, _ make: (inout [Kept]) async throws -> Void) async rethrows -> Double {
    var kept: [Kept] = []
    kept.reserveCapacity(count)
    let before = residentBytes()
    try await make(&kept)
    let after = residentBytes()
    precondition(kept.count == count, "an actor is missing")
    return Double(after - before) / Double(count)
}

private func residentBytes() -> Int {
    #if os(Linux)
        guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
        return (Int(text.split(separator: " ")[1]) ?? 0) * sysconf(Int32(_SC_PAGESIZE))
    #else
        var usage = rusage_info_current()
        let status = withUnsafeMutablePointer(to: &usage) {
            $0.withMemoryRebound(to: rusage_info_t?.self, capacity: 1) {
                proc_pid_rusage(getpid(), RUSAGE_INFO_CURRENT, $0)
            }
        }
        return status == 0 ? Int(usage.ri_resident_size) : 0
    #endif
}

/// One measurement in a process of its own: memory that another benchmark freed would count for nothing.
func measureInChild(_ benchmark: Benchmark, _ contender: Contender, _ options: Options) throws -> Double {
    let child = Process()
    guard let program = Bundle.main.executableURL else { throw ChildError.noProgram }
    child.executableURL = program
    child.arguments = ["--bench", benchmark.name, "--impl", contender.name, "--runs", "1", "--json"]
    if options.scale == .quick { child.arguments?.append("--quick") }
    let output = Pipe()
    child.standardOutput = output
    try child.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    child.waitUntilExit()
    guard child.terminationStatus == 0, let value = text.split(separator: ":").last.flatMap({ Double($0.dropLast(2)) })
    else { throw ChildError.failed(text) }
    return value
}

enum ChildError: Error {
    case noProgram
    case failed(String)
}

// MARK: Conclave: a million children of one supervisor

private struct Sleeper: Behavior {
    typealias Message = Int
    let ready: Latch
    var seen = 0

    mutating func receive(_ value: consuming Int, _ context: borrowing Context<Int>) {
        seen += value
        ready.arrive()
    }
}

private func conclaveIdle(_ count: Int) async throws -> Double {
    try await withSystem { system in
        try await memory(count) { kept in
            let ready = Latch(count)
            for number in 0..<count {
                kept.append(try system.spawn { Sleeper(ready: ready) })
                kept[number].send(number)
            }
            await ready.wait()
        }
    }
}

// MARK: Swift's actors

private actor NativeSleeper {
    var seen = 0

    func receive(_ value: Int) { seen += value }
}

private func actorIdle(_ count: Int) async -> Double {
    await memory(count) { kept in
        for number in 0..<count {
            let sleeper = NativeSleeper()
            await sleeper.receive(number)
            kept.append(sleeper)
        }
    }
}

// MARK: A task that reads an AsyncStream

private func streamIdle(_ count: Int) async -> Double {
    await memory(count) { (kept: inout [AsyncStream<Int>.Continuation]) in
        let ready = Latch(count)
        for number in 0..<count {
            let inbox = AsyncStream.makeStream(of: Int.self)
            Task { for await _ in inbox.stream { ready.arrive() } }
            inbox.continuation.yield(number)
            kept.append(inbox.continuation)
        }
        await ready.wait()
    }
}

// MARK: A serial queue for each actor

// SAFETY: `seen` is only touched on `queue`.
private final class QueueSleeper: @unchecked Sendable {
    private let queue = DispatchQueue(label: "sleeper")
    private var seen = 0
    private let ready: Latch

    init(_ ready: Latch) { self.ready = ready }

    func receive(_ value: Int) {
        queue.async {
            self.seen += value
            self.ready.arrive()
        }
    }
}

private func queueIdle(_ count: Int) async -> Double {
    await memory(count) { (kept: inout [QueueSleeper]) in
        let ready = Latch(count)
        for number in 0..<count {
            kept.append(QueueSleeper(ready))
            kept[number].receive(number)
        }
        await ready.wait()
    }
}
