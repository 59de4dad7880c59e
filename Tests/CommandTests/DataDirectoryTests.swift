import ConclaveNet
import Testing

@testable import ConclaveCommand

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

@Suite("The cluster's directory")
struct DataDirectoryTests {
    /// Runs the body with the path of a directory that does not exist yet.
    private func withFreshPath(_ body: (String) throws -> Void) rethrows {
        let path = FileManager.default.temporaryDirectory.path + "/conclave-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try body(path)
    }

    private func failure(_ path: String, nodes: Int = 3) -> CommandFailure? {
        do throws(CommandFailure) {
            _ = try DataDirectory(path: path, nodes: nodes)
            return nil
        } catch {
            return error
        }
    }

    @Test("is made with a new identity, which it keeps")
    func keepsIdentity() throws {
        try withFreshPath { path in
            let first = try DataDirectory(path: path + "/deep", nodes: 3).clusterID
            #expect(try DataDirectory(path: path + "/deep", nodes: 3).clusterID == first)
            #expect(try DataDirectory(path: path + "/other", nodes: 3).clusterID != first)
        }
    }

    @Test("is one launcher's alone")
    func isLocked() throws {
        try withFreshPath { path in
            let holder = try DataDirectory(path: path, nodes: 3)
            let refusal = failure(path)
            #expect(refusal?.code == .unavailable)
            #expect(refusal?.message.contains("another 'conclave cluster' is running") == true)
            withExtendedLifetime(holder) {}
        }
    }

    @Test("with another number of servers is refused, and the message says which")
    func otherSize() throws {
        try withFreshPath { path in
            _ = try DataDirectory(path: path, nodes: 3)
            let refusal = failure(path, nodes: 5)
            #expect(refusal?.code == .dataError)
            #expect(refusal?.message.contains("--nodes 3") == true)
        }
    }

    @Test("that holds something else is refused and left alone")
    func stranger() throws {
        try withFreshPath { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data("mine".utf8).write(to: URL(filePath: path + "/thesis.txt"))
            let refusal = failure(path)
            #expect(refusal?.code == .dataError)
            #expect(refusal?.message.contains("'thesis.txt'") == true)
            #expect(try FileManager.default.contentsOfDirectory(atPath: path) == ["thesis.txt"])
        }
    }

    @Test("that is a file is refused")
    func file() throws {
        try withFreshPath { path in
            try Data().write(to: URL(filePath: path))
            #expect(failure(path)?.code == .ioError)
        }
    }

    @Test("an attempt that died before the manifest was in place does not stand in the way")
    func halfMade() throws {
        try withFreshPath { path in
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            try Data("{\"clus".utf8).write(to: URL(filePath: path + "/cluster.json.new"))
            try Data().write(to: URL(filePath: path + "/lock"))
            #expect(failure(path) == nil)
        }
    }

    @Test(
        "a manifest that is damaged or of another format is refused",
        arguments: [
            "", "{}", "[]", "\u{0}", #"{"clusterID":"zz","created":"","formatVersion":1,"nodes":3}"#,
            #"{"clusterID":"00000000000000000000000000000001","created":"","formatVersion":2,"nodes":3}"#,
        ]
    )
    func badManifest(content: String) {
        #expect(throws: CommandFailure.self) {
            try ClusterManifest.accepting(Array(content.utf8), nodes: 3, path: "d")
        }
    }

    @Test("a taken port is named, with the way to choose others")
    func takenPort() throws {
        let listener = try Socket.listen(on: .loopback(port: 0))
        defer { listener.shutdown() }
        let port = try #require(listener.localAddress?.port)
        #expect(!PortCheck.isFree(port))
        var plan = ClusterPlan(ClusterOptions(nodes: 1), clusterID: .unnamed)
        plan.servers[0].clientPort = port
        let refusal = #expect(throws: CommandFailure.self) { try PortCheck.requireFree(plan) }
        #expect(refusal?.code == .unavailable)
        #expect(refusal?.message.contains("\(port)") == true)
        #expect(refusal?.message.contains("--port PORT") == true)
    }
}
