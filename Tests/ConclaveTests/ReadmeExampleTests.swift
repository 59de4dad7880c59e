import Conclave
import Foundation
import Testing

/// The example of README.md, compiled and run.
private enum Readme {
    struct Account: Behavior {
        enum Message { case deposit(Int), balance(Reply<Int>) }
        var total = 0

        mutating func receive(_ message: consuming Message, _ context: borrowing Context<Message>) throws {
            switch consume message {
            case .deposit(let amount): total += amount
            case .balance(let reply): reply(total)
            }
        }
    }

    static func run() async throws {
        let system = ActorSystem("bank")
        let account = try system.spawn("alice") { Account() }
        account.send(.deposit(10))
        print(try await account.ask(timeout: .seconds(1)) { .balance($0) })  // 10
        await system.shutdown()
    }
}

@Suite struct ReadmeExampleTests {
    @Test("the example in README.md is the one compiled here, and runs")
    func readmeExample() async throws {
        let here = URL(filePath: #filePath)
        let root = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let afterFence = try #require(readme.components(separatedBy: "```swift\n").dropFirst().first)
        let example = try #require(afterFence.components(separatedBy: "```").first)
        var compiled = try String(contentsOf: here, encoding: .utf8).lines[...]
        for line in example.lines {
            let place = try #require(compiled.firstIndex(of: line), "not compiled here: \(line)")
            compiled = compiled[(place + 1)...]
        }
        try await Readme.run()
    }
}

extension String {
    /// The lines that say something, without their indentation.
    fileprivate var lines: [String] {
        components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
