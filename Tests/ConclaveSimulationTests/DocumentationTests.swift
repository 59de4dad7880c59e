import Foundation
import Testing

/// The catalogue of this module.
enum Documentation {
    private static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    private static let catalogue = root.appending(path: "Sources/ConclaveSimulation/ConclaveSimulation.docc")

    static func names() throws -> [String] {
        try FileManager.default.contentsOfDirectory(at: catalogue, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "md" }.map { $0.deletingPathExtension().lastPathComponent }.sorted()
    }

    static func article(_ name: String) throws -> String {
        try String(contentsOf: catalogue.appending(path: "\(name).md"), encoding: .utf8)
    }

    static func source(_ folder: String) throws -> String {
        let folder = root.appending(path: folder).resolvingSymlinksInPath()
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        return try (files?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
            .map { try String(contentsOf: $0, encoding: .utf8) }.joined(separator: "\n")
    }
}

@Suite struct DocumentationTests {
    @Test("each example of the simulation's articles is compiled, line by line and in its order")
    func examplesAreCompiled() throws {
        let snippets = lines(try Documentation.source("Tests/ConclaveSimulationTests"))
        var count = 0
        for name in try Documentation.names() {
            for fenced in try Documentation.article(name).components(separatedBy: "```swift\n").dropFirst() {
                count += 1
                var compiled = snippets[...]
                for line in lines(try #require(fenced.components(separatedBy: "```").first)) {
                    guard let place = compiled.firstIndex(of: line) else {
                        Issue.record("\(name): not compiled: \(line)")
                        break
                    }
                    compiled = compiled[(place + 1)...]
                }
            }
        }
        #expect(count == 7)
    }

    private func lines(_ text: String) -> [String] {
        text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }

    @Test(
        "each article that a simulation's article links to is there, and each name in double backticks is the module's"
    )
    func linksAndNames() throws {
        let source = try Documentation.source("Sources/ConclaveSimulation")
        let names = try Documentation.names()
        let kinds = ["struct", "enum", "class", "protocol", "func", "var", "case", "let"]
        for article in names {
            let text = try Documentation.article(article)
            for link in text.components(separatedBy: "<doc:").dropFirst() {
                #expect(names.contains(String(link.prefix { $0 != ">" })), "\(article) links to \(link.prefix(30))")
            }
            let prose = text.components(separatedBy: "```").enumerated().filter { $0.offset % 2 == 0 }
            for (place, symbol) in prose.map(\.element).joined().components(separatedBy: "``").enumerated()
            where place % 2 == 1 {
                for name in symbol.split(separator: "/").map({ $0.prefix { $0 != "(" } })
                where name != "ConclaveSimulation" {
                    #expect(kinds.contains { source.contains("\($0) \(name)") }, "\(article): ``\(symbol)``")
                }
            }
        }
    }
}
