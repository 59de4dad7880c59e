// What all demos share: their arguments, and a check that makes a wrong demo fail.

import Foundation

/// A small program that shows one thing.
public struct Demo {
    /// The number given for each option, or its default.
    public private(set) var numbers: [String: Int]

    /// Reads the arguments of the program. Prints `about` and ends it after `--help`; ends it with 2 after wrong arguments.
    ///
    /// - Parameter options: the options that take a number above zero, with their defaults; `["jobs": 10]` is for `--jobs 10`.
    /// - Parameter hidden: options that the program uses when it starts itself once more; then `about` is not printed.
    public init(_ name: String, about: String, options: [String: Int] = [:], hidden: [String: Int] = [:]) {
        numbers = options.merging(hidden) { shown, _ in shown }
        var isHidden = false
        let flags = options.sorted { $0.key < $1.key }.map { "[--\($0.key) \($0.value)]" }
        let usage = (["usage: demo-\(name)"] + flags).joined(separator: " ")
        var arguments = CommandLine.arguments.dropFirst()
        while let argument = arguments.popFirst() {
            if argument == "--help" || argument == "-h" {
                print(about, "", usage, separator: "\n")
                exit(0)
            }
            let option = String(argument.dropFirst(2))
            guard argument.hasPrefix("--"), numbers[option] != nil, let text = arguments.popFirst(),
                let number = Int(text), number > 0
            else {
                FileHandle.standardError.write(Data("\(usage)\n".utf8))
                exit(2)
            }
            numbers[option] = number
            if hidden[option] != nil { isHidden = true }
        }
        if !isHidden { print(about) }
    }

    /// Begins a part of the demo.
    public func part(_ title: String) {
        print("\n== \(title)")
        fflush(nil)  // what is printed into a pipe appears part by part
    }

    /// Says what was found, and ends the program with 1 if that is not what the demo promises.
    public func expect(_ holds: Bool, _ what: String) {
        print("   \(holds ? "✓" : "✗") \(what)")
        if !holds { exit(1) }
    }
}

extension Duration {
    /// In milliseconds, for people to read.
    public var text: String {
        let (seconds, attoseconds) = components
        return String(format: "%.1f ms", Double(seconds) * 1_000 + Double(attoseconds) / 1e15)
    }
}
