import RaftLog

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif
#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A cluster's directory, held by this launcher alone for as long as the value lives.
///
/// `cluster.json` says whose data it is, `lock` is held, `node-<id>/` belongs to a server.
final class DataDirectory {
    static let lockName = "lock"

    let path: String
    let clusterID: ClusterID
    /// Its advisory lock ends with the process, however it dies.
    private let lock: Int32

    /// Opens the directory, or makes it with a new cluster's identity.
    /// - Throws: `CommandFailure` when another launcher holds it, when it holds something else, and for IO errors.
    init(path: String, nodes: Int) throws(CommandFailure) {
        self.path = path
        try makeDirectory(path)
        let isNew = try Self.isFresh(path)
        lock = try Self.acquireLock("\(path)/\(Self.lockName)", directory: path)
        do throws(CommandFailure) {
            clusterID = try isNew ? Self.create(path, nodes: nodes) : Self.open(path, nodes: nodes)
        } catch {
            close(lock)
            throw error
        }
    }

    deinit { close(lock) }

    /// Whether a cluster may be made here: nothing is there but what an attempt that died early leaves behind.
    private static func isFresh(_ path: String) throws(CommandFailure) -> Bool {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: path)
        } catch {
            throw CommandFailure(code: .ioError, message: "cannot read the directory \(path): \(error)")
        }
        if names.contains(ClusterManifest.fileName) { return false }
        let strangers = names.filter { $0 != lockName && $0 != temporaryName }.sorted()
        guard let first = strangers.first else { return true }
        throw CommandFailure(
            code: .dataError,
            message: """
                \(path) is no cluster's directory: it has no \(ClusterManifest.fileName), but other things such as \
                '\(first)'; choose an empty directory with --data DIR
                """
        )
    }

    private static func acquireLock(_ file: String, directory: String) throws(CommandFailure) -> Int32 {
        let descriptor = openFile(file, O_RDWR | O_CREAT | O_CLOEXEC)
        guard descriptor >= 0 else { throw ioFailure("cannot open \(file)", errno) }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let fault = errno
            close(descriptor)
            guard fault == EWOULDBLOCK else { throw ioFailure("cannot lock \(file)", fault) }
            throw CommandFailure(
                code: .unavailable,
                message: """
                    another 'conclave cluster' is running on \(directory); stop it, or choose another directory with \
                    --data DIR (and other ports with --port)
                    """
            )
        }
        return descriptor
    }

    private static func create(_ path: String, nodes: Int) throws(CommandFailure) -> ClusterID {
        var generator = SystemRandomNumberGenerator()
        let id = ClusterID(high: generator.next(), low: generator.next())
        let content: [UInt8]
        do {
            content = try ClusterManifest(clusterID: id, nodes: nodes, created: Date()).encoded()
        } catch {
            throw CommandFailure(code: .software, message: "cannot write the manifest: \(error)")
        }
        try replaceFile(
            directory: path,
            name: ClusterManifest.fileName,
            temporaryName: temporaryName,
            content: content,
            durably: true
        )
        return id
    }

    private static let temporaryName = "\(ClusterManifest.fileName).new"

    private static func open(_ path: String, nodes: Int) throws(CommandFailure) -> ClusterID {
        let content: [UInt8]
        do {
            content = [UInt8](try Data(contentsOf: URL(filePath: "\(path)/\(ClusterManifest.fileName)")))
        } catch {
            throw CommandFailure(code: .ioError, message: "cannot read \(path)/\(ClusterManifest.fileName): \(error)")
        }
        return try ClusterManifest.accepting(content, nodes: nodes, path: path).clusterID
    }
}
