import Foundation
import Testing

/// Asks the compiler about a few lines of a user's code, against the modules that were built for this test run.
struct CompilerCheck {
    private let modules: URL
    private let moduleMap: URL
    private let compiler = "/usr/bin/env"

    /// Nil: the modules are not where `swift build` puts them, or there is no compiler.
    init?() {
        let build = Self.buildFolder
        modules = build.appending(path: "Modules")
        moduleMap = build.appending(path: "ConclavePlatform.build/module.modulemap")
        for needed in [modules.appending(path: "Conclave.swiftmodule"), moduleMap] {
            if !FileManager.default.fileExists(atPath: needed.path) { return nil }
        }
        guard (try? run(["swiftc", "--version"]).status) == 0 else { return nil }
    }

    static let isPossible = Self() != nil

    /// The folder that holds the test bundle, wherever it was built.
    private static var buildFolder: URL {
        #if os(macOS)
            let bundle = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
            return (bundle ?? .main).bundleURL.deletingLastPathComponent()
        #else
            return URL(filePath: CommandLine.arguments[0]).resolvingSymlinksInPath().deletingLastPathComponent()
        #endif
    }

    /// What the compiler says about `source`: empty if it compiles.
    func errors(in source: String) throws -> String {
        let file = FileManager.default.temporaryDirectory.appending(path: "conclave-\(UUID().uuidString).swift")
        try source.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        let (status, output) = try run([
            // Not only the types: who may still use a value is decided later.
            "swiftc", "-emit-sil", "-o", "/dev/null", "-swift-version", "6", "-I", modules.path,
            "-Xcc", "-fmodule-map-file=\(moduleMap.path)", file.path,
        ])
        if status == 0 { return "" }
        return output.isEmpty ? "the compiler failed with \(status)" : output
    }

    private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
        let process = Process()
        process.executableURL = URL(filePath: compiler)
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        try process.run()
        let output = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: output, as: UTF8.self))
    }
}
