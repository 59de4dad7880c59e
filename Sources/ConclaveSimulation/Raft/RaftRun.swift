// One seed of a simulated Raft cluster: options, result, and why it may fail.

package import RaftLog
package import RaftScenario

/// Which faults a run injects.
package enum FaultProfile: String, CaseIterable, Sendable {
    /// None.
    case calm
    /// Frames are lost, doubled, delayed and reordered; links are slow, closed, cut one way, both ways and in shapes; machines pause, and
    /// their clocks are wrong.
    case net
    /// Machines lose their power with what was not synced, or only the process; syncs and writes fail, disks are slow, hang, are full,
    /// forget a bit, and write to the wrong place.
    case disk
    /// Both, and servers are wiped, replaced, one or two at once, lose their vote for a while, and are asked to lead.
    case all

    var hasNetworkFaults: Bool { self == .net || self == .all }
    var hasDiskFaults: Bool { self == .disk || self == .all }
}

/// What a run does.
package struct RaftRunOptions: Sendable {
    /// Servers, all of them voters; 3 by default.
    package var nodes = 3
    /// Which faults.
    package var profile = FaultProfile.all
    /// What goes wrong instead of what the seed says; nil by default.
    package var plan: FaultPlan?
    /// How long clients work under faults, in virtual time; 30 s by default.
    package var faultPhase = Duration.seconds(30)
    /// After the faults have healed, a write must be acknowledged within this; 10 s by default.
    package var livenessBound = Duration.seconds(10)
    /// After that, damaged logs must be whole again and changes of the membership done within this; 60 s by default.
    package var settlingBound = Duration.seconds(60)
    /// Clients, each with one call at a time, every second one in a session; 4 by default.
    package var clients = 4
    /// Keys they share; 3 by default.
    package var keys = 3
    /// How far clocks may drift apart, in percent, for leaders to answer reads under a lease; nil, the default: no leases.
    package var leaseDriftPercent: Int?
    /// How fast the servers' clocks are, the first server's first, in thousandths of the world's; the others' are right, and by default all.
    package var clocksPerMille: [UInt64] = []
    /// Leadership is handed over to some server again and again, after up to so long; nil, the default: it is not.
    package var transfersWithin: Duration?
    /// Whether a seed is run twice, and fails if its steps differ; false by default.
    package var isRepeated = false
    /// The last so many events are kept for the trace of a failure; 0 by default.
    package var traceCapacity = 0
    /// What stands between a server and its disk: a place to plant a bug. Nothing by default.
    package var wrapDisk: @Sendable (any Disk) -> any Disk = { $0 }
    /// A bug to plant in the servers. None by default.
    package var meddling = Meddling()

    package init() {}
}

/// What a run that held came to.
package struct RaftRunReport: Sendable {
    package var seed: UInt64
    package var signature: UInt64
    package var virtualTime: Duration
    package var operations: Int
    package var answered: Int
    package var commits: Int
    package var elections: Int
    package var faults: Int
    /// Times that a server refused another one's connection: one whose data was lost, for example (rule P28).
    package var refusals: Int
    /// Servers that operators replaced.
    package var replacements: Int
    /// Times that operators put two servers in the place of two others by one change.
    package var swaps: Int
    /// Times that operators took a server's vote and gave it back.
    package var demotions: Int
    /// Damaged logs that other servers repaired (rule P34).
    package var repairs: Int
    /// Batches that were written to another place than theirs, and what was there before.
    package var misdirections: Int
    /// Snapshots that were damaged.
    package var rottenSnapshots: Int
    /// Times that a leader found its snapshot damaged when it was about to send it, and took another one.
    package var replacedSnapshots: Int
}

/// Why a run failed.
package struct RaftRunFailure: Error, CustomStringConvertible {
    package enum Kind: Hashable, Sendable { case correctness, liveness, broken }

    package var kind: Kind
    package var seed: UInt64
    /// The checker's name, a colon, and what it found.
    package var complaint: String
    /// Virtual time since the start.
    package var time: Duration
    package var trace: String
    /// An HTML page, where the history is not linearizable.
    package var timeline: String?

    /// A failure of a run.
    package init(
        kind: Kind,
        seed: UInt64,
        complaint: String,
        time: Duration,
        trace: String,
        timeline: String? = nil
    ) {
        self.kind = kind
        self.seed = seed
        self.complaint = complaint
        self.time = time
        self.trace = trace
        self.timeline = timeline
    }

    /// The first line of the complaint: what a scenario ends with.
    package var verdict: String { String(complaint.prefix { $0 != "\n" }) }

    /// Who complained.
    package var checker: String {
        if kind == .liveness { return "liveness phase" }
        return String(verdict.prefix { $0 != ":" })
    }

    package var description: String { "seed \(seed): \(complaint)" }
}
