// How each fault of a plan is carried out.

internal import Conclave
internal import ConclaveNet
internal import ConclaveRaft
internal import RaftCore
internal import RaftLog

extension RaftWorld {
    /// Carries a fault out. What cannot be, as the crash of a server that is down, or would be more than a cluster can stand, is left
    /// out.
    func inject(_ fault: Fault) {
        simulation.note("fault: \(fault)")
        switch fault {
        case .network(let faults): network.setFaults(faults)
        case .cut(let from, let to):
            if let from = peer(from), let to = peer(to) { network.cut(from: from, to: to) }
        case .isolate(let place):
            guard let peer = peer(place) else { return }
            for other in ids.map({ PeerID($0.rawValue) }) where other != peer {
                network.cut(from: peer, to: other)
                network.cut(from: other, to: peer)
            }
        case .shape(let shape, let place): form(shape, around: place)
        case .slowLink(let from, let to, let delay):
            if let from = peer(from), let to = peer(to) { network.slow(from: from, to: to, by: delay) }
        case .disconnect(let one, let other):
            if let one = peer(one), let other = peer(other) { network.disconnect(one, other) }
        case .heal: network.healLinks()
        case .kill(let place): if let id = id(place) { crash(id, losesPower: false) }
        case .powerCut(let place): if let id = id(place) { crash(id, losesPower: true) }
        case .restart(let place): if let id = id(place) { restart(id) }
        case .pause(let place, let duration): onMachine(place) { $0.pause(for: duration) }
        case .clockRate(let place, let rate): onMachine(place) { $0.setClockRate(partsPerMillion: rate) }
        case .clockJump(let place, let duration): onMachine(place) { $0.jumpClock(by: duration) }
        case .slowDisk(let place, let delay): onMachine(place) { $0.slowDisk(by: delay) }
        case .hangDisk(let place, let duration): onMachine(place) { $0.hangDisk(for: duration) }
        case .failSync(let place): onDisk(place) { $0.failNext(.sync) }
        case .failWrite(let place): onDisk(place) { $0.failNext(.write) }
        case .failRead(let place): failRead(place)
        case .fillDisk(let place): onDisk(place) { $0.isFull = true }
        case .freeDisk(let place): onDisk(place) { $0.isFull = false }
        case .rot(let place): rot(place)
        case .rotIdentity(let place): rotIdentity(place)
        case .rotSnapshot(let place): rotSnapshot(place)
        case .misdirectWrite(let place): misdirectWrite(place)
        case .wipe(let place): wipe(place)
        case .replace(let place): order(.replace(number(of: place), isLost: false))
        case .swap(let one, let other): if one != other { order(.swap(number(of: one), number(of: other))) }
        case .demote(let place): if isWhole { order(.demote(number(of: place))) }
        case .transfer(let place): order(.transfer(number(of: place)))
        }
    }

    /// Everything is well again: the network, the clocks, the disks, and every server is up.
    func heal() {
        network.setFaults(NetworkFaults())
        network.healLinks()
        for id in ids {
            guard let resident = resident(id), let machine = resident.machine else { continue }
            resident.trouble.isFull = false
            machine.setClockRate(partsPerMillion: 0)
            machine.slowDisk(by: .zero)
            machine.hangDisk(for: .zero)
            // One whose disk failed is up without a server.
            crash(id, losesPower: false, isFault: false)
            restart(id)
        }
    }

    // MARK: Who is meant

    func number(of place: NodeID) -> Int { Int(clamping: place.rawValue) - 1 }

    func id(_ place: NodeID) -> NodeID? {
        withState { $0.places.indices.contains(number(of: place)) ? $0.places[number(of: place)] : nil }
    }

    private func peer(_ place: NodeID) -> PeerID? { id(place).map { PeerID($0.rawValue) } }

    private func onMachine(_ place: NodeID, _ body: (SimulatedMachine) -> Void) {
        guard let id = id(place), let machine = resident(id)?.machine, machine.isUp else { return }
        countFault()
        body(machine)
    }

    private func onDisk(_ place: NodeID, _ body: (DiskTrouble) -> Void) {
        guard let id = id(place), let resident = resident(id) else { return }
        countFault()
        body(resident.trouble)
    }

    // MARK: Partitions

    private func form(_ shape: LinkShape, around place: NodeID) {
        network.healLinks()
        let places = withState { $0.places }
        guard let start = id(place).flatMap({ places.firstIndex(of: $0) }) else { return }
        let ordered = places[start...] + places[..<start]
        for (one, from) in ordered.enumerated() {
            for (other, to) in ordered.enumerated() where one != other && !shape.joins(one, other, of: places.count) {
                network.cut(from: PeerID(from.rawValue), to: PeerID(to.rawValue))
            }
        }
    }

    // MARK: Losing what was acknowledged

    /// Whether a place may lose data: not more places in a run than a cluster can do without.
    func mayLose(_ place: Int) -> Bool {
        withState { state in
            guard state.places.indices.contains(place) else { return false }
            if !state.losers.contains(place), state.losers.count >= (state.places.count - 1) / 2 { return false }
            return !state.orders.contains { $0.isDemotion || $0.places.contains(place) }
        }
    }

    /// Which bit of so many bytes is to be wrong.
    func drawBit(ofBytes size: Int) -> (byte: Int, bit: Int) {
        site.draw { (Int.random(in: 0..<size, using: &$0), Int.random(in: 0..<8, using: &$0)) }
    }

    /// Whether no server lacks what it acknowledged. One that does is no help to the others until it is repaired or replaced, so none of
    /// them may be without a vote meanwhile.
    private var isWhole: Bool {
        !withState { $0.orders.contains(where: \.isAboutLoss) } && quarantined.isEmpty
            && ids.compactMap(resident).allSatisfy { $0.recovery(of: $0.disk).map { $0.lost == nil } ?? false }
    }

    /// The machine comes back with an empty disk. As nobody knows it yet, its server is started as it always was: that it is refused is
    /// what rule P28 asks for. Then the operators have to replace it.
    private func wipe(_ place: NodeID) {
        let number = number(of: place)
        guard let id = id(place), mayLose(number), mayOrder, let resident = resident(id) else { return }
        // The others must know whom to refuse. They do once a leader has written down who is who; until then a founder that is wiped is
        // no stranger to those who have not heard of it.
        let isKnown = withState { $0.places }.allSatisfy {
            server($0)?.status.current.configuration.record(of: id)?.incarnation == resident.incarnation
        }
        guard isKnown else { return }
        countFault()
        crash(id, losesPower: true, isFault: false)
        _ = withState { $0.losers.insert(number) }
        resident.wipe()
        restart(id)
        order(.replace(number, isLost: true))
    }

    /// Flips a bit of what the server has acknowledged and will read again; it starts anew at once. A last batch is left alone: a damaged
    /// one cannot be told from one that a crash cut short (see `TornTail`).
    private func rot(_ place: NodeID) {
        let number = number(of: place)
        guard let id = id(place), mayLose(number), let resident = resident(id) else { return }
        crash(id, losesPower: false, isFault: false)
        defer { restart(id) }
        guard let before = resident.recovery(of: resident.disk) else { return }
        let files = ((try? resident.disk.list()) ?? []).filter { $0.hasPrefix("segment-") }
        for _ in 0..<8 {
            guard let file = site.draw({ files.randomElement(using: &$0) }),
                let size = resident.disk.contents(of: file)?.count, size > 0
            else { return }
            let (byte, bit) = drawBit(ofBytes: size)
            let copy = resident.disk.copy()
            copy.flipBit(of: file, byte: byte, bit: bit)
            guard let after = resident.recovery(of: copy), after.lost != nil,
                after.entries.count == before.entries.count, after.tornTail == before.tornTail
            else { continue }
            countFault()
            _ = withState { $0.losers.insert(number) }
            resident.disk.flipBit(of: file, byte: byte, bit: bit)
            simulation.note("\(id) has a wrong bit: \(after.corruptions.first.map { "\($0)" } ?? "")")
            return
        }
    }

    /// One bit of the file that names the server is wrong. Nothing is lost: the segments know it too.
    private func rotIdentity(_ place: NodeID) {
        guard let id = id(place), let disk = resident(id)?.disk else { return }
        crash(id, losesPower: false, isFault: false)
        defer { restart(id) }
        guard let size = disk.contents(of: "IDENTITY")?.count, size > 0 else { return }
        countFault()
        let (byte, bit) = drawBit(ofBytes: size)
        disk.flipBit(of: "IDENTITY", byte: byte, bit: bit)
    }

    /// The server starts anew, and a read fails: of the file that names it, of the log, or of a snapshot. That is no damage: it gives up and is
    /// started again.
    private func failRead(_ place: NodeID) {
        guard let id = id(place), let resident = resident(id) else { return }
        countFault()
        crash(id, losesPower: false, isFault: false)
        resident.trouble.failNext(.read, after: site.draw { Int.random(in: 0..<12, using: &$0) })
        restart(id)
    }
}
