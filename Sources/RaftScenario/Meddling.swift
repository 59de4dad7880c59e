// How a bug is planted: what a core hears, becomes and finds on its disk is altered from outside.

package import RaftCore

/// Places where a test may make a world, or the cores in it, misbehave. The product has no such places.
///
/// The same value plants a bug among bare cores (`World`) and in the servers of a simulated cluster.
package struct Meddling: Sendable {
    /// What a server hears instead of a message; nil: nothing.
    package var distort: @Sendable (RaftMessage, RaftCore) -> RaftMessage? = { message, _ in message }
    /// A core before an input; done only where there is an `afterInput`.
    package var beforeInput: @Sendable (CoreInput, inout RaftCore) -> Void = { _, _ in }
    /// A core after an input; the second argument is what it was before.
    package var afterInput: (@Sendable (CoreInput, RaftCore, inout RaftCore) -> Void)?
    /// What leaves before the output is durable.
    package var leavesEarly: @Sendable (RaftMessage) -> Bool = { _ in false }
    /// Writes are taken for durable when they are issued.
    package var completesAtOnce = false
    /// What a restart finds.
    package var restored: @Sendable (RestoredState) -> RestoredState = { $0 }
    /// A server that lost its disk is let in as the one it was (servers only).
    package var admitsWipedServers = false
    /// What a server takes for the beginning of its cluster.
    package var beginning: @Sendable (NodeID, Configuration) -> Configuration = { $1 }

    /// Nothing is planted.
    package init() {}
}
