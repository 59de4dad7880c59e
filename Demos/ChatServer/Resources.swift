// What the process may use, and what it uses.

import Foundation

enum Resources {
    /// Raises the number of files this process may have open as far as it may, and returns it.
    static func raiseFileLimit() -> Int {
        var limit = rlimit()
        #if canImport(Glibc)
            let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let files = RLIMIT_NOFILE
        #endif
        guard getrlimit(files, &limit) == 0 else { return 256 }
        limit.rlim_cur = limit.rlim_max
        #if canImport(Darwin)
            limit.rlim_cur = min(limit.rlim_max, rlim_t(OPEN_MAX))  // the system refuses more
        #endif
        _ = setrlimit(files, &limit)
        guard getrlimit(files, &limit) == 0 else { return 256 }
        return Int(clamping: limit.rlim_cur)
    }

    /// Bytes of memory in use (on Linux; elsewhere the most that was in use so far).
    static var memoryBytes: Int {
        #if os(Linux)
            let fields = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ") ?? []
            return (fields.count > 1 ? Int(fields[1]) ?? 0 : 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
        #else
            var usage = rusage()
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #endif
    }
}
