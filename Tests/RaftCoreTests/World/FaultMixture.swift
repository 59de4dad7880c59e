// Which faults a history has, and how many.

@testable import RaftCore

/// One history's own mixture of faults, drawn from its seed. Out of 1000 steps unless said otherwise.
struct FaultMixture {
    /// Percent of deliveries.
    var drop: Int
    /// Percent of deliveries.
    var duplicate: Int
    /// Percent of deliveries.
    var reorder: Int
    var crash: Int
    /// A crash and a restart at once.
    var reboot: Int
    /// Percent: the same, right after a vote was sent.
    var rebootAfterVote: Int
    /// Percent of deliveries after which the receiver's disk syncs at once.
    var fastDisk: Int
    /// Links are cut.
    var partition: Int
    /// Percent of partitions: a leader that nobody hears and whose clock stands still.
    var deafLeader: Int
    /// A dead server restarts, and maybe links and clocks are repaired.
    var repair: Int
    /// A clock starts to run slowly, or normally again.
    var clock: Int
    /// A message delivered earlier comes once more.
    var straggler: Int
    /// How many earlier messages may come once more: few recent ones, or many of all ages.
    var memory: Int
    /// A change of membership is asked for.
    var change: Int
    /// A server takes a snapshot and forgets its log.
    var snapshot: Int
    /// A transfer of leadership is asked for.
    var transfer: Int
    /// A disk loses entries that were durable.
    var damage: Int
    /// A disk stalls, or goes on.
    var stall: Int
    /// Of 100 steps: the share of ticks.
    var ticks: Int
    /// Percent of ticks on which all clocks tick together: that makes rivals.
    var lockstep: Int
    /// Percent of inputs that wait for another one before the output is taken.
    var batching: Int

    /// A quarter of the histories have a bit of everything; the others make much of one kind of trouble, since what
    /// needs three rare events in a row hardly ever happens by mixture alone.
    init(drawnBy draw: (UInt64) -> Int) {
        drop = draw(2) * draw(20)
        duplicate = draw(2) * draw(30)
        reorder = draw(60)
        crash = draw(6)
        reboot = draw(8)
        rebootAfterVote = draw(2) * draw(60)
        fastDisk = draw(2) * draw(100)
        partition = draw(8)
        deafLeader = 20
        repair = 10 + draw(30)
        clock = draw(4)
        straggler = draw(2) * draw(60)
        memory = 100
        change = draw(2) * draw(40)
        snapshot = draw(2) * draw(60)
        transfer = draw(2) * draw(20)
        damage = draw(2) * draw(8)
        stall = draw(2) * draw(6)
        ticks = 8 + draw(25)
        lockstep = draw(2) * draw(100)
        batching = draw(40)
        switch draw(4) {
        case 0: makeRivals()
        case 1: makeDeafLeaders()
        case 2: makeChanges()
        default: break
        }
    }

    /// Many candidates at the same time, and voters that forget what they did not write down.
    private mutating func makeRivals() {
        lockstep = 90
        reorder = 60
        rebootAfterVote = 40
        straggler = 60
        memory = 15
        fastDisk = 80
        crash = 15
        reboot = 15
        partition = 1
        repair = 80
    }

    /// The membership changes all the time, under leaders that come and go.
    private mutating func makeChanges() {
        change = 80
        snapshot = 30
        transfer = 15
        crash = 8
        reboot = 10
        damage = 6
        partition = 12
        repair = 40
        drop = 3
    }

    /// Leaders deposed without knowing, that hear old acknowledgements and have readers.
    private mutating func makeDeafLeaders() {
        partition = 6
        deafLeader = 90
        repair = 8
        crash = 0
        reboot = 0
        straggler = 250
        memory = 150
        drop = 0
        ticks = 20
    }
}
