// The promises of `Disk` that do not need a crash, kept by each implementation.

import Foundation
import RaftLog
import Testing

/// A disk in a temporary directory of its own, removed with the last reference.
final class TemporaryDirectory {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.path + "/raftlog-\(UUID().uuidString)"
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("Disk contract")
struct DiskContractTests {
    enum Implementation: String, CaseIterable, CustomTestStringConvertible {
        case posix, memory
        var testDescription: String { rawValue }
    }

    private let directory = TemporaryDirectory()

    private func make(_ implementation: Implementation) throws -> any Disk {
        switch implementation {
        case .posix: try PosixDisk(directory: directory.path + "/deeply/nested", createIfMissing: true)
        case .memory: MemoryDisk()
        }
    }

    private func write(_ disk: any Disk, _ file: DiskFile, at offset: Int, _ text: String) throws {
        try Array(text.utf8).withUnsafeBytes { try disk.write(file, at: offset, $0) }
    }

    private func read(_ disk: any Disk, _ file: DiskFile, at offset: Int, _ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0xaa, count: count)
        let done = try bytes.withUnsafeMutableBytes { try disk.read(file, at: offset, into: $0) }
        return Array(bytes[..<done])
    }

    @Test("what is written is read, up to the file's end and no further", arguments: Implementation.allCases)
    func readsWrites(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        let file = try disk.create("a")
        try write(disk, file, at: 0, "hello world")
        try write(disk, file, at: 6, "there")
        #expect(try disk.size(of: file) == 11)
        #expect(try read(disk, file, at: 0, 100) == Array("hello there".utf8))
        #expect(try read(disk, file, at: 6, 3) == Array("the".utf8))
        #expect(try read(disk, file, at: 11, 4).isEmpty)
        #expect(try read(disk, file, at: 500, 4).isEmpty)
        try write(disk, file, at: 14, "!")
        #expect(try read(disk, file, at: 11, 10) == [0, 0, 0, UInt8(ascii: "!")])
        disk.close(file)
    }

    @Test("reserved space reads as zeros and keeps what was there", arguments: Implementation.allCases)
    func reserves(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        let file = try disk.create("a")
        try write(disk, file, at: 0, "abc")
        try disk.reserve(file, sizeBytes: 10_000)
        #expect(try disk.size(of: file) == 10_000)
        #expect(try read(disk, file, at: 0, 20_000) == Array("abc".utf8) + [UInt8](repeating: 0, count: 9_997))
        try disk.reserve(file, sizeBytes: 5)
        #expect(try disk.size(of: file) == 10_000)
        disk.close(file)
    }

    @Test("names are listed in order, renamed over others and removed", arguments: Implementation.allCases)
    func names(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        for name in ["c", "a", "b"] {
            let file = try disk.create(name)
            try write(disk, file, at: 0, name)
            disk.close(file)
        }
        #expect(try disk.list() == ["a", "b", "c"])
        try disk.rename("a", to: "b")
        try disk.remove("c")
        try disk.syncDirectory()
        #expect(try disk.list() == ["b"])
        let file = try disk.open("b")
        #expect(try read(disk, file, at: 0, 9) == Array("a".utf8))
        try disk.sync(file)
        disk.close(file)
    }

    @Test("creating a file that exists empties it", arguments: Implementation.allCases)
    func createEmpties(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        let first = try disk.create("a")
        try write(disk, first, at: 0, "old")
        disk.close(first)
        let second = try disk.create("a")
        #expect(try disk.size(of: second) == 0)
        disk.close(second)
    }

    @Test("a missing file is reported as such, with its name", arguments: Implementation.allCases)
    func missingFile(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        let path = "\(disk.location)/nothing"
        #expect(throws: DiskError(.open, path: path, cause: .notFound)) { try disk.open("nothing") }
        #expect(throws: DiskError(.remove, path: path, cause: .notFound)) { try disk.remove("nothing") }
        #expect(throws: DiskError(.rename, path: path, cause: .notFound)) { try disk.rename("nothing", to: "b") }
    }

    @Test("the directory is locked until the lock is closed", arguments: Implementation.allCases)
    func locks(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        let lock = try disk.lock()
        do throws(DiskError) {
            _ = try disk.lock()
            Issue.record("locked twice")
        } catch {
            guard case .lockHeld(let pid) = error.cause else { throw error }
            #expect(pid == nil || pid == ProcessInfo.processInfo.processIdentifier)
        }
        disk.close(lock)
        disk.close(try disk.lock())
    }

    @Test("the log itself runs on it, over several segments and openings", arguments: Implementation.allCases)
    func runsTheLog(_ implementation: Implementation) throws {
        let disk = try make(implementation)
        for round in 0..<5 {
            let (log, recovered) = try open(disk)
            #expect(recovered.entries.count == round * 30)
            for index in (round * 30 + 1)...(round * 30 + 30) {
                try log.append(hardState: vote(round + 1, 1), entries: [entry(index, payloadBytes: 200)])
                try log.sync()
            }
            #expect(log.segmentCount > round)
        }
        let recovered = try recover(disk)
        #expect(recovered.entries == entries(1...150, payloadBytes: 200))
        #expect(recovered.hardState == vote(5, 1))
    }

    @Test("P33: a sync goes to the operating system each time, and is the one that reaches the disk itself")
    func syncReachesTheDisk() throws {
        let disk = try PosixDisk(directory: directory.path, createIfMissing: true)
        let file = try disk.create("f")
        try disk.sync(file)
        // What cannot be synced says so, which a call that is left out, or whose result is, does not.
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let error = #expect(throws: DiskError.self) { try disk.sync(DiskFile(number: ends[1], name: "pipe")) }
        #expect(error?.operation == .sync)
        #if canImport(Glibc)
            guard case .system(code: EINVAL, _) = error?.cause else {
                Issue.record("\(String(describing: error))")
                return
            }
        #endif
        for end in ends { close(end) }
        disk.close(file)
        #expect(throws: DiskError.self) { try disk.sync(file) }
        // Which call it is, each platform can only be seen in the source: fsync on Darwin stops at the drive's cache.
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
            path: "../../Sources/RaftLog/Posix/PosixDisk.swift"
        )
        let text = try String(contentsOf: source, encoding: .utf8)
        let body = try #require(
            text.components(separatedBy: "func sync(_ file").last?.components(separatedBy: "#endif").first
        )
        let branches = body.components(separatedBy: "#else")
        try #require(branches.count == 2)
        #expect(
            branches[0].contains("canImport(Darwin)") && branches[0].contains("fcntl(file.number, F_FULLFSYNC) != -1")
        )
        #expect(branches[1].contains("fdatasync(file.number) == 0"))
        #expect(!body.contains("fsync(file.number)") || body.contains("fdatasync(file.number)"))
    }

    @Test("a directory that is missing is an error unless it may be created")
    func missingDirectory() throws {
        let path = directory.path + "/none"
        #expect(throws: DiskError(.openDirectory, path: path, cause: .notFound)) {
            try PosixDisk(directory: path, createIfMissing: false)
        }
    }
}
