// Why a request was not answered, split by what the client may conclude.

/// Why a command or a query has no response. The case says what its client may conclude, and so whether to try again.
package enum RaftError: Error, Hashable, Sendable {
    /// Definitely not done, and never will be.
    case notDone(Refusal)
    /// It may have been done, or still be: only a session's command may be tried again without the risk of doing it twice.
    case unknown(Doubt)
    /// Not done by this request; the refusal says what is known of earlier tries.
    case session(SessionRefusal)
}

extension RaftError {
    /// Why a request was definitely not carried out.
    package enum Refusal: Hashable, Sendable {
        /// No leader is known. Trying again is safe.
        case noLeader
        /// Too much is waiting already. Trying again later is safe.
        case overloaded
        /// The command is longer than a log entry may be. Trying again is useless.
        case tooLarge
        /// The disk of the server that was asked is full. Commands that make space are still taken.
        case diskFull
    }

    /// Why it is not known whether a request was, or still will be, carried out.
    package enum Doubt: Hashable, Sendable {
        /// No answer in time.
        case timeout
        /// The server that was asked failed or stopped while the request was under way (rule P39).
        case serverStopped
        /// The server that was asked was sent a snapshot in the place of the log in which it would have seen the request.
        case overtaken
    }
}

extension RaftError {
    /// `notDone(.noLeader)`.
    package static var noLeader: RaftError { .notDone(.noLeader) }
    /// `notDone(.overloaded)`.
    package static var overloaded: RaftError { .notDone(.overloaded) }
    /// `notDone(.tooLarge)`.
    package static var tooLarge: RaftError { .notDone(.tooLarge) }
    /// `notDone(.diskFull)`.
    package static var diskFull: RaftError { .notDone(.diskFull) }
    /// `unknown(.timeout)`.
    package static var timeout: RaftError { .unknown(.timeout) }
    /// `unknown(.serverStopped)`.
    package static var serverStopped: RaftError { .unknown(.serverStopped) }

    /// Whether the request was definitely not carried out by this try.
    package var isDefinitelyNotDone: Bool {
        if case .unknown = self { false } else { true }
    }
}
