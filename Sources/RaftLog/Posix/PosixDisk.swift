// A directory of the operating system: the only code of the log that opens files.

#if canImport(Darwin)
    import Darwin
#elseif canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A `Disk` on a directory of this machine. Stateless apart from the directory's descriptor, so any thread may call it.
package final class PosixDisk: Disk {
    /// The file whose advisory lock stands for the directory; it holds the owner's process id for the refused to read.
    static let lockName = "LOCK"

    package let location: String
    private let directory: Int32

    /// Opens a directory, with `createIfMissing` creating it and its parents durably first.
    package init(directory path: String, createIfMissing: Bool) throws(DiskError) {
        location = path
        if createIfMissing { try Self.createDirectories(path) }
        directory = try Self.openDirectory(path)
    }

    deinit { _ = posixClose(directory) }

    package func lock() throws(DiskError) -> DiskFile {
        let descriptor = try openFile(Self.lockName, O_RDWR | O_CREAT, .lock)
        let file = DiskFile(number: descriptor, name: Self.lockName)
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let code = errno
            let holder = holderOfLock(file)
            close(file)
            guard code == EWOULDBLOCK else { throw failure(.lock, Self.lockName, code) }
            throw DiskError(.lock, path: location, cause: .lockHeld(by: holder))
        }
        let text = Array("\(getpid())\n".utf8)
        _ = ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        return file
    }

    package func list() throws(DiskError) -> [String] {
        let descriptor = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(.list, nil, errno) }
        guard let stream = fdopendir(descriptor) else {
            let code = errno
            _ = posixClose(descriptor)
            throw failure(.list, nil, code)
        }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else { break }
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        guard errno == 0 else { throw failure(.list, nil, errno) }
        return names.sorted()
    }

    package func open(_ name: String) throws(DiskError) -> DiskFile {
        DiskFile(number: try openFile(name, O_RDWR, .open), name: name)
    }

    package func create(_ name: String) throws(DiskError) -> DiskFile {
        DiskFile(number: try openFile(name, O_RDWR | O_CREAT | O_TRUNC, .create), name: name)
    }

    package func size(of file: DiskFile) throws(DiskError) -> Int {
        var status = stat()
        guard fstat(file.number, &status) == 0 else { throw failure(.size, file.name, errno) }
        return Int(status.st_size)
    }

    package func read(
        _ file: DiskFile,
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) -> Int {
        var done = 0
        while done < buffer.count {
            let count = pread(file.number, buffer.baseAddress! + done, buffer.count - done, off_t(offset + done))
            if count == 0 { break }
            if count > 0 { done += count } else if errno != EINTR { throw failure(.read, file.name, errno) }
        }
        return done
    }

    package func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        var done = 0
        while done < bytes.count {
            let count = pwrite(file.number, bytes.baseAddress! + done, bytes.count - done, off_t(offset + done))
            if count >= 0 { done += count } else if errno != EINTR { throw failure(.write, file.name, errno) }
        }
    }

    package func reserve(_ file: DiskFile, sizeBytes: Int) throws(DiskError) {
        #if canImport(Darwin)
            var request = fstore_t(
                fst_flags: UInt32(F_ALLOCATEALL),
                fst_posmode: F_PEOFPOSMODE,
                fst_offset: 0,
                fst_length: off_t(sizeBytes) - off_t(try size(of: file)),
                fst_bytesalloc: 0
            )
            if request.fst_length > 0, fcntl(file.number, F_PREALLOCATE, &request) == -1 {
                throw failure(.reserve, file.name, errno)
            }
            guard ftruncate(file.number, off_t(sizeBytes)) == 0 else { throw failure(.reserve, file.name, errno) }
        #else
            var code: Int32
            repeat { code = posix_fallocate(file.number, 0, off_t(sizeBytes)) } while code == EINTR
            guard code == 0 else { throw failure(.reserve, file.name, code) }
        #endif
    }

    package func sync(_ file: DiskFile) throws(DiskError) {
        #if canImport(Darwin)
            // fsync on Darwin leaves the data in the drive's own cache (raft-rules P33).
            guard fcntl(file.number, F_FULLFSYNC) != -1 else { throw failure(.sync, file.name, errno) }
        #else
            guard fdatasync(file.number) == 0 else { throw failure(.sync, file.name, errno) }
        #endif
    }

    package func close(_ file: DiskFile) { _ = posixClose(file.number) }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        guard renameat(directory, name, directory, newName) == 0 else { throw failure(.rename, name, errno) }
    }

    package func remove(_ name: String) throws(DiskError) {
        guard unlinkat(directory, name, 0) == 0 else { throw failure(.remove, name, errno) }
    }

    package func syncDirectory() throws(DiskError) {
        // On Darwin this may stop at the drive's cache; the F_FULLFSYNC of the next batch, which comes before any
        // acknowledgement, flushes that as well.
        guard fsync(directory) == 0 else { throw failure(.syncDirectory, nil, errno) }
    }
}

extension PosixDisk {
    private func openFile(_ name: String, _ flags: Int32, _ operation: DiskError.Operation) throws(DiskError) -> Int32 {
        while true {
            let descriptor = openat(directory, name, flags | O_CLOEXEC, 0o644)
            if descriptor >= 0 { return descriptor }
            if errno != EINTR { throw failure(operation, name, errno) }
        }
    }

    /// The process id the holder wrote down, if it is readable.
    private func holderOfLock(_ file: DiskFile) -> Int32? {
        let text = withUnsafeTemporaryAllocation(byteCount: 16, alignment: 1) { buffer in
            let count = (try? read(file, at: 0, into: buffer)) ?? 0
            return String(decoding: buffer[..<count].prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        }
        return Int32(text)
    }

    private func failure(_ operation: DiskError.Operation, _ name: String?, _ code: Int32) -> DiskError {
        Self.failure(operation, name.map { "\(location)/\($0)" } ?? location, code)
    }

    private static func failure(_ operation: DiskError.Operation, _ path: String, _ code: Int32) -> DiskError {
        let cause: DiskError.Cause =
            switch code {
            case ENOSPC, EDQUOT: .noSpace
            case ENOENT: .notFound
            default: .system(code: code, message: String(cString: strerror(code)))
            }
        return DiskError(operation, path: path, cause: cause)
    }

    private static func openDirectory(_ path: String) throws(DiskError) -> Int32 {
        let descriptor = posixOpen(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(.openDirectory, path, errno) }
        return descriptor
    }

    /// Creates the directory and what is missing above it, each recorded durably in its parent.
    private static func createDirectories(_ path: String) throws(DiskError) {
        if mkdir(path, 0o755) == 0 {
            try syncParent(of: path)
            return
        }
        switch errno {
        case EEXIST:
            return
        case ENOENT:
            guard let parent = parent(of: path) else { throw failure(.createDirectory, path, ENOENT) }
            try createDirectories(parent)
            guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw failure(.createDirectory, path, errno) }
            try syncParent(of: path)
        case let code:
            throw failure(.createDirectory, path, code)
        }
    }

    private static func syncParent(of path: String) throws(DiskError) {
        let parentPath = parent(of: path) ?? "."
        let descriptor = try openDirectory(parentPath)
        defer { _ = posixClose(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(.syncDirectory, parentPath, errno) }
    }

    /// The path without its last component; nil for a single relative name and for the root.
    private static func parent(of path: String) -> String? {
        let trimmed = path.hasSuffix("/") ? path.dropLast() : path[...]
        guard let slash = trimmed.lastIndex(of: "/") else { return nil }
        if slash == trimmed.startIndex { return trimmed.count > 1 ? "/" : nil }
        return String(trimmed[..<slash])
    }
}

/// `close(2)`, whose name the protocol's own method hides inside the class.
private func posixClose(_ descriptor: Int32) -> Int32 { close(descriptor) }
/// `open(2)`, for the same reason.
private func posixOpen(_ path: String, _ flags: Int32) -> Int32 { open(path, flags) }
