// The command line.

import Foundation

struct UsageError: Error {
    var text: String
}

/// How much work a benchmark does: for numbers, or only to see that it works.
enum Scale {
    case full
    case quick
}

struct Options {
    var filter: String?
    var bench: String?
    var implementation: String?
    var runs = 5
    var scale = Scale.full
    var isJSON = false
    var wantsHelp = false

    init(_ arguments: some Sequence<String>) throws(UsageError) {
        var rest = Array(arguments)[...]
        var givenRuns: Int?
        while let argument = rest.popFirst() {
            switch argument {
            case "--filter": filter = try Self.value(of: argument, &rest)
            case "--bench": bench = try Self.value(of: argument, &rest)
            case "--impl": implementation = try Self.value(of: argument, &rest)
            case "--runs":
                let text = try Self.value(of: argument, &rest)
                guard let number = Int(text), number > 0 else {
                    throw UsageError(text: "--runs takes a number above 0, not \"\(text)\"")
                }
                givenRuns = number
            case "--quick": scale = .quick
            case "--json": isJSON = true
            case "--help", "-h": wantsHelp = true
            default: throw UsageError(text: "unknown argument \"\(argument)\"")
            }
        }
        runs = givenRuns ?? (scale == .quick ? 1 : 5)
    }

    func wants(_ benchmark: Benchmark) -> Bool {
        if let bench { return benchmark.name == bench }
        return filter.map(benchmark.name.contains) ?? true
    }

    private static func value(of option: String, _ rest: inout ArraySlice<String>) throws(UsageError) -> String {
        guard let value = rest.popFirst() else { throw UsageError(text: "\(option) takes a value") }
        return value
    }

    static var usage: String {
        let list = Benchmark.all.map { benchmark in
            let name = benchmark.name.padded(to: 15)
            return
                "  \(name) \(benchmark.title)\n  \(String(repeating: " ", count: 15)) on \(benchmark.implementations)"
        }
        return """
            usage: actor-bench [--filter TEXT | --bench NAME] [--impl NAME] [--runs N] [--json] [--quick]

            Runs each benchmark on each implementation, taking turns, and prints the median of N runs.

              --filter TEXT  only benchmarks with TEXT in their name
              --bench NAME   only the benchmark of that name
              --impl NAME    only this implementation
              --runs N       runs that count, after one that warms up (default 5)
              --json         one object a line: {"bench":"ring","impl":"conclave","ops_per_s":…}
              --quick        tiny sizes and one run: shows that everything works, measures nothing

            Benchmarks:
            \(list.joined(separator: "\n"))
            """
    }
}

func complain(_ text: String) -> Never {
    FileHandle.standardError.write(Data("\(text)\n".utf8))
    exit(2)
}

extension String {
    func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
    func leftPadded(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
}
