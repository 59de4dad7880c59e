/// Sends commands to a server and prints its answers.
func runClient(_ options: ClientOptions) async throws -> ExitCode {
    throw CommandFailure(
        code: .software,
        message: "the client is not built yet; redis-cli -p \(options.port) does the same"
    )
}
