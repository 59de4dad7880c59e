/// The text of `conclave --help` and `conclave <verb> --help`.
enum HelpText {
    static var overview: String {
        let verbs = Verb.allCases.map { "  \(padded($0.rawValue, to: 9))\($0.summary)" }.joined(separator: "\n")
        return """
            conclave \(conclaveVersion): a replicated key-value store made of actors, for any Redis client

            usage: conclave <verb> [options]

            \(verbs)

            conclave <verb> --help   what a verb takes
            conclave --version       print the version

            To begin:
              conclave cluster                              three servers, on ports 7001 to 7003
              conclave client -p 7001 SET greeting hello    in another terminal
              conclave client -p 7002 GET greeting
            """
    }

    static func text(for verb: Verb) -> String {
        let width = (verb.options.map(\.synopsis.count).max() ?? 0) + 2
        let options = verb.options.map { "  \(padded($0.synopsis, to: width))\($0.help)" }.joined(separator: "\n")
        return "usage: \(verb.usage)\n\n\(options)\n\n\(notes(for: verb))"
    }

    private static func notes(for verb: Verb) -> String {
        switch verb {
        case .cluster: clusterNotes
        case .node: nodeNotes
        case .client: clientNotes
        case .sim: simulateNotes
        case .status, .members, .health, .hash: questionNotes
        case .add: addNotes
        case .change: changeNotes
        case .remove, .promote, .demote, .transfer: orderNotes
        case .snapshot: snapshotNotes
        }
    }

    private static let clusterNotes = """
        Starts N servers as processes of their own, prints who leads, starts a server again when it dies, and
        stops all of them on Ctrl-C. A second Ctrl-C does not wait for them. Each server keeps its data, its pid
        and its log in DIR/node-<id>/. Run the same command again to go on with the same data.

        Everything listens on 127.0.0.1 only.

        \(leaseNotes)
        """

    /// What an operator bets on.
    private static let leaseNotes = """
        With --lease-reads 5 a leader that a majority has heard lately answers reads by itself. That is faster, and a
        bet: that no server's clock runs more than 5 percent slower than another's, and that none stands still while
        the others go on, as on a machine that is put to sleep. If it is lost, an old leader may answer with values
        that have been overwritten. Start all servers with it, or none, and stop all servers before leases or their
        times are changed or switched off. A leader that dies is replaced later: only when its lease is over for
        certain. While leadership is handed over, a majority is asked as without leases.
        """

    private static let nodeNotes = """
        Three servers by hand, one in each of three terminals:

          PEERS=1=127.0.0.1:7101,2=127.0.0.1:7102,3=127.0.0.1:7103
          conclave node --id 1 --peers $PEERS --client-port 7001 --data ./by-hand/node-1
          conclave node --id 2 --peers $PEERS --client-port 7002 --data ./by-hand/node-2
          conclave node --id 3 --peers $PEERS --client-port 7003 --data ./by-hand/node-3

        With --json, standard output carries one object per line:
          {"event":"ready","id":1,"clientPort":7001,"peerPort":7101}        it listens
          {"event":"role","id":1,"role":"leader","term":3,"leader":1}       on each change
          {"event":"quarantined","id":1,"firstEntry":12,"lastEntry":40}     its log is damaged there
          {"event":"repaired","id":1}                                       and whole again
        The log for people goes to standard error. Exit codes: 0 stopped by SIGTERM or SIGINT, 64 wrong arguments,
        65 data that is corrupt or of another cluster, 69 a port is taken, 74 a file cannot be read or written.

        A server that finds its log damaged says so and starts in quarantine: it does not campaign, votes only for
        whom it would have voted for with an intact log, and takes the damaged entries from the leader; INFO shows
        raft_quarantined:1 until all are back. Where no other server can repair it, it ends with code 65 and says
        what to do. A batch that a crash cut off at the very end was never acknowledged, and is dropped.

        A leader that finds its snapshot damaged when it sends it to another server says so and writes a new one.

        A full disk ends no server: only deletions and reads are taken (-MISCONF otherwise) until there is space.

        \(leaseNotes)
        """

    private static let simulateNotes = """
        Each seed is a cluster of unchanged servers in a world of its own, under virtual time: clients read and write while
        the network and the disks do what the profile says, then everything heals and a write must succeed. Clients' histories
        must be linearizable. The same seed takes the same steps, everywhere.

        profiles: calm   no faults
                  net    frames lost, doubled, late, out of order; links slow, closed, cut one way, both ways and in
                         shapes; machines that pause, clocks that are wrong
                  disk   processes killed, power cut with what was not synced, syncs and writes that fail, disks that
                         are slow, hang, are full, forget a bit or write to the wrong place
                  all    both, and servers that are wiped, replaced, without a vote for a while or asked to lead

        The first seed that fails ends the run: its faults are cut down to those that it takes, and written to a scenario,
        with a trace and, for a history, an HTML timeline. --scenario plays it again, and writes its trace and timeline anew,
        beside it; the exit code is that of the failure.

        With --planted, bugs that real implementations had are planted in the servers, one after the other: the table says how
        many seeds it took to catch each, which checker did, and how many lines the scenario has that shows it. Exit code 2
        when one is not caught within its bound, or its scenario cannot be played again or has more than 60 lines. Each
        scenario is in a file, which plants its bug again; after Ctrl-C those that were found by then are there.

        Exit codes: 0 all seeds held, 2 a promise was broken, 3 no progress after healing, 70 the simulation itself failed,
        65 a file is no scenario or plan, 74 a file cannot be read or written.
        """

    private static let questionNotes = """
        Without --endpoints and --port: asks all members of the cluster that has a server on port 7001, 7002 or 7003.
        Exit codes: 0 all is well, 1 a server does not answer, is not well or has another state than the others,
        69 no server answers.
        """

    private static let orderNotes = """
        Any server may be asked; the leader does it. Exit codes: 0 done, 1 refused, with the reason, 4 unknown: a server
        was told but there is no answer, so look with 'conclave status' before you say it again; 69 no server answers.
        """

    private static let snapshotNotes = """
        Each server does it for itself. Without --endpoints and --port: asks all members of the cluster that has a server
        on port 7001, 7002 or 7003. Exit codes: 0 done by all, 1 a server does not answer or could not; 69 no server
        answers.
        """

    private static let changeNotes = """
        All of it is done, or nothing. While it is under way a decision takes a majority of the voters before it and of
        those after it. Servers 4 and 5, which were added with --learner, take the places of 1 and 2:

          conclave change promote 4 promote 5 remove 1 remove 2

        Waits for learners that are to be promoted to catch up.

        \(orderNotes)
        """

    private static let addNotes = """
        The server becomes a learner, which gets all data but has no vote, and a voter as soon as it has caught up;
        with --learner, when 'conclave promote' says so. Start it first, with 'conclave node --join':

          conclave node --id 4 --join 127.0.0.1:7001 --client-port 7004 --peer-port 7104 --data ./by-hand/node-4
          conclave add 4 127.0.0.1:7104

        Exit codes: 0 added, 1 refused, with the reason, 4 unknown, 69 no server answers.
        """

    private static let clientNotes = """
        With a command: sends it, prints the answer; exit code 1 when the answer is an error, 69 when no server
        answers. Without one: a prompt, or one command per line when standard input is not a terminal.
        All options come before the command.
        """
}

/// Fills up with spaces on the right.
func padded(_ text: String, to width: Int) -> String {
    text + String(repeating: " ", count: max(0, width - text.count))
}
