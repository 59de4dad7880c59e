// What a system looks like at a moment: a tree of values.

/// The actors of a system as they were when they were asked, each in a turn of its own.
///
/// Not one moment for all: no actor waits for another. An actor that starts or ends meanwhile is in the tree or not.
public struct SystemSnapshot: Sendable {
    /// The system's name.
    public let name: String
    /// The root, and below it all actors.
    public let root: ActorSnapshot
    /// Messages so far that nobody received.
    public let deadLetterCount: Int
    /// Answers so far that came after their ask was over.
    public let lateReplyCount: Int
    /// There were more actors than the snapshot was allowed to hold; the youngest of the lowest levels are missing.
    public let isTruncated: Bool

    /// All actors in it, a parent before its children, the oldest child first.
    public var actors: [ActorSnapshot] {
        var found: [ActorSnapshot] = []
        var next = [root]
        while let actor = next.popLast() {
            found.append(actor)
            next += actor.children.reversed()
        }
        return found
    }

    /// The actor at `path`, if it is in the tree.
    public subscript(path: String) -> ActorSnapshot? { actors.first { $0.path == path } }
}

/// One actor of a snapshot.
public struct ActorSnapshot: Sendable {
    /// Where it is in the tree.
    public let path: String
    /// Its name, or its behaviour's type if it has none.
    public let label: String
    /// What it understands.
    public let messageType: Any.Type
    /// What it was doing.
    public let state: State
    /// What it was handling, if it was.
    public let current: CurrentMessage?
    /// Messages, timers, answers and DOWNs that wait. At most `countLimit` are counted in an unbounded mailbox, by walking along it;
    /// nil if the mailbox is unbounded and the actor had no turn in which to count.
    public let mailboxDepth: Int?
    /// The most messages that its mailbox holds; nil if unbounded.
    public let mailboxCapacity: Int?
    /// Messages so far that found its bounded mailbox full.
    public let overflowCount: Int
    /// What only the actor itself knows; nil if it had no time for the question.
    public let details: Details?
    /// Its children, the oldest first.
    public internal(set) var children: [ActorSnapshot]

    /// What an actor tells in a turn of its own.
    public struct Details: Sendable {
        /// Successful restarts so far.
        public let restartCount: Int
        /// Messages put aside.
        public let stashDepth: Int
        /// Its timers that have not fired for the last time.
        public let timerCount: Int
        /// Those who wait for its end: actors, and tasks in `terminated`.
        public let watcherCount: Int
        /// The paths of the actors that it monitors.
        public let monitoring: [String]
        /// The paths of the actors that it is linked with.
        public let links: [String]
    }

    /// The most that is counted in an unbounded mailbox.
    public static var countLimit: Int { 100_000 }

    /// What an actor was doing.
    public enum State: String, Sendable {
        /// It had no time for the question: its `started` runs, or is about to.
        case starting
        /// It took the question at once: it waits for messages, or was between two.
        case receiving
        /// It had no time for the question: its handler runs.
        case handling
        /// It is ready to run, but no worker has come to it.
        case waitingForWorker
        /// Its incarnation is ending; children are stopping first.
        case ending
        /// Its incarnation has ended, and the next has not started.
        case suspended
    }

    /// A message in a handler.
    public struct CurrentMessage: Sendable {
        /// The type of the actor's messages.
        public let type: Any.Type
        /// How long its handler has run, at least: since the first snapshot that found it so.
        public let age: Duration
    }
}
