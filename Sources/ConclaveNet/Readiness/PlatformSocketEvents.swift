// Which watcher this platform uses.

/// The watchers of sockets.
package enum PlatformSocketEvents {
    /// The best watcher of this platform; one serves a whole process. Whoever makes it calls `stop` in the end.
    ///
    /// - Throws: `SocketError` when there is no descriptor left.
    package static func make() throws(SocketError) -> any SocketEvents {
        #if os(Linux)
            try EpollSocketEvents()
        #else
            DispatchSocketEvents()
        #endif
    }
}
