import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Starts a cluster and keeps it running until somebody stops it.
func runCluster(_ options: ClusterOptions) async throws -> ExitCode {
    do throws(CommandFailure) {
        sealInheritedDescriptors()
        let directory = try DataDirectory(path: options.dataDirectory, nodes: options.nodes)
        let plan = ClusterPlan(options, clusterID: directory.clusterID)
        try PortCheck.requireFree(plan)
        for server in plan.servers { try makeDirectory(server.directory) }
        let code = await ClusterShell(plan, options: options).run()
        // The lock ends here and not earlier: until now servers of ours were writing.
        withExtendedLifetime(directory) {}
        return code
    } catch {
        if options.json { StandardStreams.writeOutput(Announcement.error(error.message).jsonLine! + "\n") }
        throw error
    }
}
