/// How a process ended.
enum ChildExit: Equatable {
    case code(Int32)
    case signal(Int32)

    /// Reads what `waitpid` delivered (the layout is the same on Linux and macOS).
    init(waitStatus: Int32) {
        let signal = waitStatus & 0x7f
        self = signal == 0 ? .code((waitStatus >> 8) & 0xff) : .signal(signal)
    }

    /// For people: "was killed by signal 9", "exited with code 65 (…)".
    var description: String {
        switch self {
        case .signal(let number): "was killed by signal \(number)"
        case .code(let code): "exited with code \(code)" + Self.meaning(of: code)
        }
    }

    /// A server that ends like this would end like this again: its arguments or its data are wrong.
    var isPermanent: Bool {
        self == .code(ExitCode.usage.rawValue) || self == .code(ExitCode.dataError.rawValue)
    }

    private static func meaning(of code: Int32) -> String {
        switch ExitCode(rawValue: code) {
        case .usage: " (it does not understand its arguments)"
        case .dataError: " (its data is corrupt or of another cluster)"
        case .unavailable: " (a port is taken)"
        case .ioError: " (a file could not be read or written)"
        default: ""
        }
    }
}
