/// Runs one server until SIGTERM or SIGINT.
///
/// The contract with the launcher and with people:
/// - listens on 127.0.0.1 only, on `options.clientPort` and `options.peerPort`;
/// - with `options.json`, writes each `NodeEvent` as one line to standard output, and nothing else there; text for
///   people goes to standard error;
/// - returns after SIGTERM or SIGINT, when everything is stopped and on disk; the process then ends with code 0.
///   The end of standard input arrives as SIGTERM too (`--until-stdin-closes`);
/// - throws `CommandFailure` with `.dataError` for data of another cluster or corrupt data, `.unavailable` for a taken
///   port, `.ioError` for a file that cannot be read or written;
/// - keeps its files in `options.dataDirectory`, where the names `pid` and `log` belong to the launcher.
func runNode(_ options: NodeOptions) async throws {
    throw CommandFailure(code: .software, message: "the server itself is not built yet")
}
