// What is printed: a table for people, or a JSON object a line.

import Foundation

enum Report {
    static func show(_ benchmark: Benchmark, _ measurements: [Measurement], asJSON: Bool) {
        if !asJSON { print("\(benchmark.name): \(benchmark.title)") }
        let ours = measurements.first { $0.contender.name == "conclave" }?.median
        for measurement in measurements {
            let value = measurement.median
            if asJSON {
                print(json(benchmark, measurement.contender.name, value))
            } else {
                let name = measurement.contender.name.padded(to: 15)
                print("  \(name)\(text(value, benchmark.unit).leftPadded(to: 14))\(ratio(ours, value, measurement))")
            }
        }
        fflush(nil)  // what is printed into a pipe appears benchmark by benchmark
    }

    private static func json(_ benchmark: Benchmark, _ implementation: String, _ value: Double) -> String {
        let key =
            switch benchmark.unit {
            case .operationsPerSecond: "ops_per_s"
            case .bytesPerActor: "bytes_per_actor"
            }
        return #"{"bench":"\#(benchmark.name)","impl":"\#(implementation)","\#(key)":\#(Int(value.rounded()))}"#
    }

    private static func text(_ value: Double, _ unit: Benchmark.Unit) -> String {
        switch unit {
        case .operationsPerSecond where value >= 100_000: "\(decimal(value / 1e6, 2)) M/s"
        case .operationsPerSecond where value >= 100: "\(decimal(value / 1e3, 2)) k/s"
        case .operationsPerSecond: "\(decimal(value, 2)) /s"
        case .bytesPerActor: "\(Int(value.rounded())) B"
        }
    }

    private static func ratio(_ ours: Double?, _ value: Double, _ measurement: Measurement) -> String {
        guard let ours, measurement.contender.name != "conclave", value > 0 else { return "" }
        return "   conclave / \(measurement.contender.name): \(decimal(ours / value, 2))"
    }

    private static func decimal(_ value: Double, _ digits: Int) -> String {
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        return "\((value * scale).rounded() / scale)"
    }
}
