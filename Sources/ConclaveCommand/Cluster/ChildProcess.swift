#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A server's process as its launcher holds it.
struct ChildProcess {
    let pid: Int32
    /// The read end of its standard output.
    let output: Int32
    /// The write end of its standard input. Nothing is ever written: its end tells the server that the launcher is gone.
    let lifeline: Int32

    /// Starts this program again with other arguments.
    ///
    /// The child is in a process group of its own, so the terminal's Ctrl-C reaches the launcher alone and the launcher
    /// decides. It inherits nothing but its three standard streams: all other descriptors are close-on-exec
    /// (`sealInheritedDescriptors` sees to those that we did not open ourselves).
    /// - Parameter logFile: Where its standard error goes, at the end of what is there.
    /// - Throws: `CommandFailure` with `.ioError` when the system refuses.
    static func start(arguments: [String], logFile: String) throws(CommandFailure) -> ChildProcess {
        let log = openFile(logFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC)
        guard log >= 0 else { throw ioFailure("cannot open \(logFile)", errno) }
        defer { close(log) }
        let input = try makePipe()
        let output: Pipe
        do throws(CommandFailure) {
            output = try makePipe()
        } catch {
            input.closeBoth()
            throw error
        }
        defer {
            close(input.readEnd)
            close(output.writeEnd)
        }
        var pid: pid_t = 0
        let fault = spawn(&pid, arguments: arguments, streams: [input.readEnd, output.writeEnd, log])
        guard fault == 0 else {
            close(input.writeEnd)
            close(output.readEnd)
            throw ioFailure("cannot start a process", fault)
        }
        return ChildProcess(pid: pid, output: output.readEnd, lifeline: input.writeEnd)
    }

    /// - Parameter streams: What becomes standard input, output and error.
    /// - Returns: zero or an error number.
    private static func spawn(_ pid: inout pid_t, arguments: [String], streams: [Int32]) -> Int32 {
        #if canImport(Glibc)
            var files = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #else
            var files: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #endif
        posix_spawn_file_actions_init(&files)
        defer { posix_spawn_file_actions_destroy(&files) }
        for (standard, stream) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&files, stream, Int32(standard))
        }
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The launcher ignores and blocks signals for its own ends; the child starts with none of that.
        var everySignal = sigset_t()
        sigfillset(&everySignal)
        var noSignal = sigset_t()
        sigemptyset(&noSignal)
        posix_spawnattr_setsigdefault(&attributes, &everySignal)
        posix_spawnattr_setsigmask(&attributes, &noSignal)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(
            &attributes,
            Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK)
        )
        var argv: [UnsafeMutablePointer<CChar>?] = (["conclave"] + arguments).map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        return posix_spawn(&pid, ownExecutable(), &files, &attributes, &argv, environ)
    }

    private struct Pipe {
        var readEnd: Int32
        var writeEnd: Int32

        func closeBoth() {
            close(readEnd)
            close(writeEnd)
        }
    }

    private static func makePipe() throws(CommandFailure) -> Pipe {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ioFailure("cannot make a pipe", errno) }
        // Nobody can start a process between these calls: only the loop that is here now does that.
        ends.forEach { _ = fcntl($0, F_SETFD, FD_CLOEXEC) }
        return Pipe(readEnd: ends[0], writeEnd: ends[1])
    }

    /// The path of the running program.
    private static func ownExecutable() -> String {
        #if canImport(Glibc)
            var buffer = [UInt8](repeating: 0, count: 4096)
            let link = "/proc/self/exe"
            let length = buffer.withUnsafeMutableBytes {
                readlink(link, $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count)
            }
            guard length > 0 else { return link }
            let path = String(decoding: buffer[..<length], as: UTF8.self)
            // A program that was built anew while it ran has no path any more, but the link still opens it.
            return access(path, X_OK) == 0 ? path : link
        #else
            var size = UInt32(4096)
            var buffer = [CChar](repeating: 0, count: Int(size))
            guard _NSGetExecutablePath(&buffer, &size) == 0 else { return CommandLine.arguments[0] }
            return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        #endif
    }
}

/// Keeps what this process inherited from whoever started it out of the processes that it starts, and makes sure that
/// the three standard streams are there, so that no file or pipe of ours gets one of their numbers.
func sealInheritedDescriptors() {
    var lowest: Int32
    repeat { lowest = open("/dev/null", O_RDWR | O_CLOEXEC) } while lowest >= 0 && lowest <= STDERR_FILENO
    if lowest >= 0 { close(lowest) }
    guard let folder = opendir("/dev/fd") else { return }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
        let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        guard let descriptor = Int32(name), descriptor > STDERR_FILENO else { continue }
        _ = fcntl(descriptor, F_SETFD, fcntl(descriptor, F_GETFD) | FD_CLOEXEC)
    }
}
