// Why a request was not answered, split by what the client may conclude.

/// Why a command or a query has no response.
package enum RaftError: Error, Hashable, Sendable {
    /// Definitely not done: no leader is known. Trying again is safe.
    case noLeader
    /// Definitely not done: too much is waiting already. Trying again later is safe.
    case overloaded
    /// Definitely not done: the command is longer than a log entry may be. Trying again is useless.
    case tooLarge
    /// Definitely not done: the disk of the server that was asked is full. Commands that make space are still taken.
    case diskFull
    /// Unknown: the command may still be carried out, or have been.
    case timeout
    /// Not done by this request; the refusal says what is known of earlier tries.
    case session(SessionRefusal)
}
