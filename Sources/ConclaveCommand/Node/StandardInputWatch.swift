import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Turns the end of standard input into SIGTERM.
///
/// The launcher holds the other end of that pipe and nobody else does, so the kernel closes it however the launcher
/// dies, SIGKILL included. A server without a launcher would keep its ports and nobody would restart it.
enum StandardInputWatch {
    /// How long an orderly stop may take once nobody is there to insist.
    private static let patience = DispatchTimeInterval.seconds(5)

    static func start() {
        // A queue of its own: its one thread waits in `read` for as long as the process lives.
        DispatchQueue(label: "conclave.stdin").async {
            var buffer: (UInt64, UInt64) = (0, 0)
            while true {
                let count = read(STDIN_FILENO, &buffer, MemoryLayout.size(ofValue: buffer))
                if count == 0 || (count < 0 && errno != EINTR) { break }
            }
            kill(getpid(), SIGTERM)
            DispatchQueue.global().asyncAfter(deadline: .now() + patience) { _exit(ExitCode.software.rawValue) }
        }
    }
}
