import Dispatch

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// SIGTERM and SIGINT as an asynchronous stream.
final class StopSignals {
    /// Yields once for each signal that arrives.
    let received: AsyncStream<Void>
    private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        received = stream
        let queue = DispatchQueue(label: "conclave.signals")
        sources = [SIGTERM, SIGINT].map { number in
            // The source only sees what the default action does not.
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { continuation.yield() }
            source.activate()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
