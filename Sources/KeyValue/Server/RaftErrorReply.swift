// What a Redis client is told when the cluster did not answer.

import ConclaveRaft

extension RaftError {
    /// The first word says what a program may conclude: `TIMEOUT` and `UNKNOWN` mean that the command may have been carried out, or
    /// still be; any other word means that this try did not do it.
    package var reply: Reply {
        switch self {
        case .notDone(.noLeader): .error("CLUSTERDOWN", "No raft leader")
        case .notDone(.overloaded): .error("BUSY", "Too many commands wait for the cluster, try again later")
        case .notDone(.tooLarge): .error("ERR", "The command is longer than an entry of the replicated log may be")
        case .notDone(.diskFull):
            .error("MISCONF", "No space left on the server's disk: only reads and deletions are taken until there is")
        case .session(.unknownSession): .error("NOSESSION", "No such session: it has expired or never was")
        case .session(.answerForgotten):
            .error("DONE", "The command was carried out before; its answer is no longer kept")
        case .session(.windowExceeded): .error("WINDOW", "Too many commands of this session are unanswered")
        case .unknown(.timeout):
            .error("TIMEOUT", "No answer from the cluster in time: the command may or may not be carried out")
        case .unknown(.serverStopped):
            .error("UNKNOWN", "The server stopped while the command was under way: it may or may not be carried out")
        case .unknown(.overtaken):
            .error(
                "UNKNOWN",
                "The server was sent a snapshot meanwhile: the command may or may not have been carried out"
            )
        }
    }
}
