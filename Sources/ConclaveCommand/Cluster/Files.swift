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

/// Makes a directory with its parents; one that exists is fine.
/// - Parameter option: by which it was chosen.
func makeDirectory(_ path: String, option: String = "--data") throws(CommandFailure) {
    var isDirectory = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) {
        guard isDirectory else {
            throw CommandFailure(
                code: .ioError,
                message: "\(path) is a file, not a directory; choose another \(option) DIR"
            )
        }
        return
    }
    // One after the other, for the reason in plain words.
    for end in path.indices where path[end] == "/" && end > path.startIndex { mkdir(String(path[..<end]), 0o777) }
    guard mkdir(path, 0o777) == 0 || errno == EEXIST else {
        throw ioFailure("cannot make the directory \(path)", errno)
    }
}

/// Puts a file's new content in its place at once: a reader finds the old one or the new one.
/// - Parameter durably: That holds after a power failure too, and after the return the new content is on disk.
func replaceFile(
    directory: String,
    name: String,
    temporaryName: String,
    content: [UInt8],
    durably: Bool
) throws(CommandFailure) {
    let temporary = "\(directory)/\(temporaryName)"
    let descriptor = openFile(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)
    guard descriptor >= 0 else { throw ioFailure("cannot write \(temporary)", errno) }
    let isWritten = content.withUnsafeBytes { writeFully($0.baseAddress, count: $0.count, to: descriptor) }
    guard isWritten, !durably || synchronize(descriptor) else {
        let fault = errno
        close(descriptor)
        throw ioFailure("cannot write \(temporary)", fault)
    }
    close(descriptor)
    guard rename(temporary, "\(directory)/\(name)") == 0 else {
        throw ioFailure("cannot rename \(temporary)", errno)
    }
    guard durably else { return }
    // The new name is on disk only when the directory is.
    let folder = openFile(directory, O_RDONLY | O_CLOEXEC)
    guard folder >= 0 else { throw ioFailure("cannot open \(directory)", errno) }
    defer { close(folder) }
    guard synchronize(folder) else { throw ioFailure("cannot write \(directory)", errno) }
}

/// `open` with the mode that new files get.
func openFile(_ path: String, _ flags: Int32) -> Int32 { open(path, flags, 0o644) }

private func synchronize(_ descriptor: Int32) -> Bool {
    #if canImport(Darwin)
        // fsync leaves the data in the drive's cache there.
        return fcntl(descriptor, F_FULLFSYNC) == 0
    #else
        return fsync(descriptor) == 0
    #endif
}

/// A failed system call as the reason to end the command.
func ioFailure(_ what: String, _ number: Int32) -> CommandFailure {
    CommandFailure(code: .ioError, message: "\(what): \(errorText(number))")
}
