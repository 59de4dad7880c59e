// An actor system as a service of a host application.

extension ActorSystem {
    /// Runs the system until it ends; cancelling the task shuts it down gracefully, as `shutdown` does, and then this returns.
    ///
    /// For hosts that run services and cancel their tasks to stop them. When it returns or throws, no thread and no timer is left.
    ///
    /// - Throws: `SupervisionError` when the system gave up, because its actors failed more often than its restart intensity
    ///   allows.
    public func run() async throws {
        _ = await withTaskCancellationHandler {
            await terminated()
        } onCancel: {
            requestShutdown()
        }
        await shutdown()
        if let failure { throw failure }
    }
}
