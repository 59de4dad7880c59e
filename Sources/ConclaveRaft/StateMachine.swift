// What a user replicates.

/// A deterministic machine that every server of a cluster runs over the same log of commands.
///
/// The same commands in the same order must give the same state and the same responses on every server, so `apply` must not read
/// a clock, draw a random number, do input or output, or depend on the iteration order of a dictionary or a set. What it keeps is
/// kept in memory; after a restart it begins with the last snapshot, and the commands after it are applied again.
///
/// Commands come in batches: all that were committed together are applied one after the other, then `batchEnded` is called. There is no
/// function that takes the whole batch, for two reasons. The answer to one command may decide about the next one: a command that is tried
/// again within the batch is answered with what the first try came to, and is not applied. And nothing would be gained: what is cheaper
/// once for many commands (a transaction of a store, an index, a count that others read) is begun by the first `apply` and finished in
/// `batchEnded`. That an answer is on its way before that is safe. What makes a command last is the log, not the machine.
public protocol StateMachine: Sendable {
    /// What a command or a query answers.
    associatedtype Response: Sendable
    /// A question that changes nothing.
    associatedtype Query: Sendable

    /// Applies a committed command. Called once for each command, in the order of the log.
    ///
    /// - Parameter wantsResponse: false where no client waits; the response may then be anything cheap.
    /// - Throws: only for a command that this build cannot read: the server stops rather than diverge.
    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> Response

    /// Called after the last of the commands that were committed together, and before any query, snapshot or hash sees them. By
    /// default nothing.
    ///
    /// - Throws: what makes it impossible to go on: the server stops, and begins with the last snapshot when it is started again.
    mutating func batchEnded() throws

    /// A response as bytes, for answering a command that is tried again, here or on a server that was not there the first time.
    static func encode(_ response: Response) -> [UInt8]

    /// Reads back what `encode` wrote.
    /// - Throws: only for bytes that this build cannot read: the server stops rather than diverge.
    static func decode(response: [UInt8]) throws -> Response

    /// Writes the whole state, in pieces of any size.
    ///
    /// Runs on a copy of the machine and on another thread, while the machine itself goes on: copying it must be cheap.
    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws

    /// Takes on the state that `writeSnapshot` wrote, in a machine that has applied nothing. `read` hands the bytes out in order, in
    /// pieces that are cut anywhere; a piece is valid during the call only.
    /// - Throws: for bytes that this build cannot read; the server does not start then.
    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws

    /// Whether a command only makes the state smaller: such commands are taken when the disk is all but full. By default none.
    static func freesSpace(_ command: [UInt8]) -> Bool

    /// A hash of the whole state, the same on servers whose state is the same, in whatever order it lies in memory. Nil, the default: none.
    ///
    /// Runs on a copy of the machine and on another thread, as `writeSnapshot` does.
    var contentHash: UInt64? { get }

    /// Answers from the state as it is after all commands applied so far.
    func answer(_ query: Query) -> Response
}

extension StateMachine {
    /// No command makes space.
    public static func freesSpace(_ command: [UInt8]) -> Bool { false }

    /// Nothing is left over for the end of a batch.
    public mutating func batchEnded() throws {}

    /// No hash.
    public var contentHash: UInt64? { nil }
}
