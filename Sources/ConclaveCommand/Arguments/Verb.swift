/// The first argument: what the command is to do.
enum Verb: String, CaseIterable {
    case cluster
    case node
    case client
    case sim
    case status
    case members
    case add
    case remove
    case promote
    case demote
    case change
    case transfer
    case snapshot
    case health
    case hash

    var summary: String {
        switch self {
        case .cluster: "start a whole cluster on this machine and keep it running"
        case .node: "run one server"
        case .client: "send commands to a server"
        case .sim: "run clusters in a simulated world full of faults"
        case .status: "how the servers of a cluster stand"
        case .members: "who takes part in a cluster, and where they are found"
        case .add: "add a server to a cluster"
        case .remove: "remove a server from a cluster"
        case .promote: "give a learner a vote"
        case .demote: "take a server's vote, and keep it as a learner"
        case .change: "add, promote, demote and remove several servers in one step"
        case .transfer: "hand leadership over"
        case .snapshot: "have the servers write their state down, so that their logs can be cut"
        case .health: "whether the servers of a cluster are well"
        case .hash: "compare the servers' states"
        }
    }

    /// The line after "usage: ".
    var usage: String {
        switch self {
        case .cluster: "conclave cluster [--nodes N] [--port PORT] [--data DIR] [options]"
        case .node:
            "conclave node --id N (--peers 1=HOST:PORT,… | --join HOST:PORT) --client-port PORT --data DIR [options]"
        case .sim:
            "conclave sim [--seed S] [--runs N] [--minutes M] [--nodes N] [--profile calm|net|disk|all] [--plan FILE]"
                + "\n       conclave sim --scenario FILE"
                + "\n       conclave sim --planted [--scenarios DIR]"
        case .client: "conclave client [-h HOST] [-p PORT] [--resp3] [COMMAND [ARGUMENT…]]"
        case .add: "conclave add ID HOST:PORT [--learner] [options]     # its peer port"
        case .change: "conclave change (add ID HOST:PORT [learner] | promote ID | demote ID | remove ID)… [options]"
        case .remove, .promote, .demote: "conclave \(rawValue) ID [options]"
        case .transfer: "conclave transfer [ID] [options]"
        case .status, .members, .snapshot, .health, .hash: "conclave \(rawValue) [options]"
        }
    }

    var options: [OptionSpec] {
        let help = OptionSpec(name: "--help", short: self == .client ? nil : "-h", help: "print this text")
        return switch self {
        case .cluster: Self.clusterOptions + [help]
        case .node: Self.nodeOptions + [help]
        case .client: Self.clientOptions + [help]
        case .sim: Self.simulateOptions + [help]
        case .add: [OptionSpec(name: "--learner", help: "no vote until it is promoted")] + Self.adminOptions + [help]
        case .status, .members, .remove, .promote, .demote, .change, .transfer, .snapshot, .health, .hash:
            Self.adminOptions + [help]
        }
    }

    private static let clusterOptions = [
        OptionSpec(
            name: "--nodes",
            short: "-n",
            placeholder: "N",
            help: "how many servers, 1 to \(ClusterOptions.nodeRange.upperBound) (default 3)"
        ),
        OptionSpec(
            name: "--port",
            short: "-p",
            placeholder: "PORT",
            help:
                "client port of server 1; the others follow (default 7001). Peer ports start \(ClusterOptions.peerPortOffset) above"
        ),
        OptionSpec(
            name: "--data",
            short: "-d",
            placeholder: "DIR",
            help: "where the servers keep their data (default ./conclave-data); made if missing"
        ),
        OptionSpec(
            name: "--lease-reads",
            placeholder: "PERCENT",
            help: "reads without asking the others, if clocks drift by less than this (default: off; see below)"
        ),
        OptionSpec(name: "--json", help: "print one JSON object per line and event, for programs"),
        OptionSpec(name: "--host", placeholder: "HOST", help: "only 127.0.0.1 for now: there are no passwords yet"),
    ]

    private static let nodeOptions = [
        OptionSpec(name: "--id", placeholder: "N", help: "this server's number; never give it to another server"),
        OptionSpec(
            name: "--peers",
            placeholder: "LIST",
            help: "founds a cluster: all its servers with their peer ports, this one too: 1=127.0.0.1:7101,2=…"
        ),
        OptionSpec(
            name: "--join",
            placeholder: "HOST:PORT",
            help: "joins the cluster of the server at this client address; it waits for 'conclave add'"
        ),
        OptionSpec(name: "--client-port", placeholder: "PORT", help: "where clients connect"),
        OptionSpec(
            name: "--peer-port",
            placeholder: "PORT",
            help: "where the other servers connect (default: this server's port in --peers)"
        ),
        OptionSpec(name: "--data", placeholder: "DIR", help: "this server's own directory; made if missing"),
        OptionSpec(
            name: "--cluster-id",
            placeholder: "HEX",
            help: "32 hexadecimal digits, the same on all servers (default: all zero); data of another is refused"
        ),
        OptionSpec(
            name: "--lease-reads",
            placeholder: "PERCENT",
            help: "reads without asking the others, if clocks drift by less than this (default: off; see below)"
        ),
        OptionSpec(name: "--json", help: "print one JSON object per line and event on standard output"),
        OptionSpec(name: "--until-stdin-closes", help: "stop when standard input is at its end (the launcher's way)"),
        OptionSpec(name: "--host", placeholder: "HOST", help: "only 127.0.0.1 for now: there are no passwords yet"),
    ]

    private static let simulateOptions = [
        OptionSpec(name: "--seed", placeholder: "S", help: "the first seed (default 0)"),
        OptionSpec(name: "--runs", placeholder: "N", help: "how many seeds (default 100); 0: until Ctrl-C"),
        OptionSpec(name: "--minutes", placeholder: "M", help: "simulated minutes under faults in each run (default 1)"),
        OptionSpec(name: "--nodes", short: "-n", placeholder: "N", help: "how many servers, 1 to 9 (default 3)"),
        OptionSpec(name: "--profile", placeholder: "NAME", help: "which faults: calm, net, disk or all (default all)"),
        OptionSpec(name: "--twice", help: "run each seed twice; fail if its steps differ"),
        OptionSpec(name: "--plan", placeholder: "FILE", help: "the faults of the run, instead of those of its seed"),
        OptionSpec(name: "--scenario", placeholder: "FILE", help: "play what a failed seed was cut down to"),
        OptionSpec(name: "--planted", help: "plant known bugs instead, and print how many seeds catch each"),
        OptionSpec(
            name: "--scenarios",
            placeholder: "DIR",
            help: "where the planted bugs' scenarios go (default ./conclave-planted)"
        ),
    ]

    private static let adminOptions = [
        OptionSpec(
            name: "--endpoints",
            placeholder: "LIST",
            help: "client addresses to ask: 127.0.0.1:7001,127.0.0.1:7002,…"
        ),
        OptionSpec(name: "--port", short: "-p", placeholder: "PORT", help: "the same for one server on 127.0.0.1"),
        OptionSpec(name: "--json", help: "print one JSON object per line, for programs"),
    ]

    private static let clientOptions = [
        OptionSpec(name: "--host", short: "-h", placeholder: "HOST", help: "the server's address (default 127.0.0.1)"),
        OptionSpec(name: "--port", short: "-p", placeholder: "PORT", help: "the server's client port (default 7001)"),
        OptionSpec(name: "--resp3", help: "speak version 3 of the protocol (default: 2)"),
    ]
}
