/// The first argument: what the command is to do.
enum Verb: String, CaseIterable {
    case cluster
    case node
    case client
    case sim

    var summary: String {
        switch self {
        case .cluster: "start a whole cluster on this machine and keep it running"
        case .node: "run one server"
        case .client: "send commands to a server"
        case .sim: "run clusters in a simulated world full of faults"
        }
    }

    /// The line after "usage: ".
    var usage: String {
        switch self {
        case .cluster: "conclave cluster [--nodes N] [--port PORT] [--data DIR] [--json]"
        case .node: "conclave node --id N --peers 1=HOST:PORT,2=HOST:PORT,… --client-port PORT --data DIR [options]"
        case .sim:
            "conclave sim [--seed S] [--runs N] [--minutes M] [--nodes N] [--profile calm|net|disk|all] [--plan FILE]"
        case .client: "conclave client [-h HOST] [-p PORT] [--resp3] [COMMAND [ARGUMENT…]]"
        }
    }

    var options: [OptionSpec] {
        let help = OptionSpec(name: "--help", short: self == .client ? nil : "-h", help: "print this text")
        return switch self {
        case .cluster: Self.clusterOptions + [help]
        case .node: Self.nodeOptions + [help]
        case .client: Self.clientOptions + [help]
        case .sim: Self.simulateOptions + [help]
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
        OptionSpec(name: "--json", help: "print one JSON object per line and event, for programs"),
        OptionSpec(name: "--host", placeholder: "HOST", help: "only 127.0.0.1 for now: there are no passwords yet"),
    ]

    private static let nodeOptions = [
        OptionSpec(name: "--id", placeholder: "N", help: "this server's number; never give it to another server"),
        OptionSpec(
            name: "--peers",
            placeholder: "LIST",
            help: "all servers with their peer ports, this one too: 1=127.0.0.1:7101,2=127.0.0.1:7102,…"
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
        OptionSpec(name: "--plan", placeholder: "FILE", help: "the faults of the run, instead of those of its seed"),
    ]

    private static let clientOptions = [
        OptionSpec(name: "--host", short: "-h", placeholder: "HOST", help: "the server's address (default 127.0.0.1)"),
        OptionSpec(name: "--port", short: "-p", placeholder: "PORT", help: "the server's client port (default 7001)"),
        OptionSpec(name: "--resp3", help: "speak version 3 of the protocol (default: 2)"),
    ]
}
