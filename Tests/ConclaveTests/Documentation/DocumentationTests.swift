import Conclave
import Foundation
import Testing

/// Holds the DocC catalogue against the code: its examples compile and run, its links and its table of the contract lead somewhere.
@Suite struct DocumentationTests {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let catalogue = root.appending(path: "Sources/Conclave/Conclave.docc")

    private static func text(_ file: URL) throws -> String { try String(contentsOf: file, encoding: .utf8) }

    private static func articles() throws -> [(name: String, text: String)] {
        try FileManager.default.contentsOfDirectory(at: catalogue, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "md" }
            .map { ($0.deletingPathExtension().lastPathComponent, try text($0)) }
    }

    private static func swiftFiles(_ folder: String) throws -> [String] {
        let folder = root.appending(path: folder).resolvingSymlinksInPath()
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        return try (files?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }.map(text)
    }

    @Test("each example of the catalogue is compiled, line by line and in its order")
    func examplesAreCompiled() throws {
        let folders = ["Tests/ConclaveTests/Documentation", "Tests/ConclaveSimulationTests"]
        let snippets = try folders.map { folder in
            try Self.text(Self.root.appending(path: folder).appending(path: "DocumentationSnippets.swift"))
                .meaningfulLines
        }
        var count = 0
        for article in try Self.articles() {
            for fenced in article.text.components(separatedBy: "```swift\n").dropFirst() {
                let example = try #require(fenced.components(separatedBy: "```").first)
                let missing = snippets.compactMap { firstMissingLine(of: example, in: $0) }
                if missing.count == snippets.count {
                    Issue.record("\(article.name): not compiled: \(missing.joined(separator: " or "))")
                }
                count += 1
            }
        }
        #expect(count > 30)
    }

    /// Nil if all lines of `example` are in `source`, one after the other.
    private func firstMissingLine(of example: String, in source: [String]) -> String? {
        var compiled = source[...]
        for line in example.meaningfulLines {
            guard let place = compiled.firstIndex(of: line) else { return line }
            compiled = compiled[(place + 1)...]
        }
        return nil
    }

    @Test("the examples of the catalogue run")
    func examplesRun() async throws {
        try await GettingStarted.bank()
        try await GettingStarted.branch()
        try await GettingStarted.heartbeat()
        try await DeliveryAndOrder.run()
        try await SupervisionArticle.run()
        try await AgentsArticle.run()
        try await BlockingArticle.run()
        try await NamesGroupsPools.run()
        try await ObservabilityArticle.run()
        try await TestingYourActors.run()
        try await FromSwiftActors.run()
        #if os(Linux)
            await #expect(processExitsWith: .success) { try await SurvivingTraps.run() }
        #endif
    }

    @Test("each article that is linked to is there")
    func links() throws {
        let articles = try Self.articles()
        for article in articles {
            for link in article.text.components(separatedBy: "<doc:").dropFirst() {
                let name = link.prefix { $0 != ">" && $0 != "#" }
                #expect(articles.contains { $0.name == name }, "\(article.name) links to \(name)")
            }
        }
    }

    @Test("each name in double backticks is one of the library's")
    func symbols() throws {
        let source = try Self.swiftFiles("Sources/Conclave").joined(separator: "\n")
        let kinds = ["struct", "enum", "class", "protocol", "func", "var", "case", "let"]
        var count = 0
        for article in try Self.articles() {
            // Every second part is code: first the fenced blocks, which are left out, then the names.
            let prose = article.text.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 0 }
            let parts = prose.map(\.element).joined().components(separatedBy: "``")
            for (_, symbol) in parts.enumerated().filter({ $0.offset % 2 == 1 }) {
                for name in symbol.prefix(while: { $0 != "(" }).components(separatedBy: "/") where name != "Conclave" {
                    let isDeclared = kinds.contains { source.contains("\($0) \(name)") }
                    if !isDeclared { Issue.record("\(article.name): ``\(symbol)``") }
                    count += 1
                }
            }
        }
        #expect(count > 100)
    }

    @Test("each line of the contract links to the tests that show it, each in the file where it is")
    func contract() throws {
        let contract = try #require(try Self.articles().first { $0.name == "Contract" }).text
        let rows = contract.components(separatedBy: "\n").filter {
            $0.hasPrefix("| ") && !$0.hasPrefix("| The contract")
        }
        #expect(rows.count > 130)
        var testNames: [String: Set<String>] = [:]
        for row in rows {
            let cells = row.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(cells.count == 2, "\(row)")
            for link in cells[cells.count - 1].components(separatedBy: "<br>") {
                let parts = link.components(separatedBy: "](")
                guard parts.count == 2, parts[0].hasPrefix("["), parts[1].hasSuffix(")") else {
                    Issue.record("no link to a test: \(link)")
                    continue
                }
                let (name, path) = (String(parts[0].dropFirst()), String(parts[1].dropLast()))
                if testNames[path] == nil {
                    let file = Self.catalogue.appending(path: path).standardizedFileURL
                    testNames[path] = Set((try? Self.text(file))?.testNames ?? [])
                }
                if testNames[path]?.contains(name) != true { Issue.record("\(path) has no test named: \(name)") }
            }
        }
    }
}

extension String {
    /// What the tests declared in this source are called.
    fileprivate var testNames: [String] {
        components(separatedBy: "@Test(").dropFirst().compactMap { declaration in
            let start = declaration.drop { $0.isWhitespace }
            guard start.first == "\"" else { return nil }
            return start.dropFirst().components(separatedBy: "\"").first
        }
    }

    /// The lines that say something, without their indentation.
    fileprivate var meaningfulLines: [String] {
        components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
