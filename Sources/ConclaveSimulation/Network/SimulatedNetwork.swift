// The network between simulated machines: the `Transport` that servers use, with faults.

internal import Conclave
package import ConclaveNet
internal import Synchronization

/// Carries frames between machines under virtual time.
///
/// As over TCP, each server has a connection to each other one, for what it sends there: made when it first sends, after a handshake in which
/// either may refuse the other. A frame belongs to its connection: what was under way on one that ends is lost.
package final class SimulatedNetwork: Sendable {
    private struct Link: Hashable {
        var from: PeerID
        var to: PeerID

        func hash(into hasher: inout Hasher) { hasher.combine(from.rawValue &<< 32 ^ to.rawValue) }
    }

    private struct Endpoint {
        var machine: SimulatedMachine
        /// Counts its starts.
        var generation = 0
        var sink: (any TransportSink)?
        /// Who it says it is.
        var handshake: Handshake
    }

    private struct Connection {
        /// No two are the same.
        var number: Int
        var senderGeneration: Int
    }

    private struct State {
        var random: SimulationRandom
        var faults = NetworkFaults()
        var endpoints: [PeerID: Endpoint] = [:]
        var cut: Set<Link> = []
        /// How much longer frames take, in nanoseconds.
        var slow: [Link: UInt64] = [:]
        var connections: [Link: Connection] = [:]
        var lastConnection = 0
        /// Connections whose senders are yet to hear that they ended.
        var ending: Set<Link> = []
        /// When the last frame of each link arrives: the next one comes later, unless it may overtake.
        var lastArrival: [Link: UInt64] = [:]
        var faultCount = 0
        var refusalCount = 0
    }

    private let world: SimulatedWorld
    private let state: Mutex<State>
    private let mayArriveTwice: @Sendable ([UInt8]) -> Bool

    /// A network of the simulation's machines.
    ///
    /// - Parameter mayArriveTwice: for which frames that is a fault worth injecting, although no `Transport` may do it.
    package init(_ simulation: Simulation, mayArriveTwice: @escaping @Sendable ([UInt8]) -> Bool = { _ in true }) {
        world = simulation.world
        self.mayArriveTwice = mayArriveTwice
        state = Mutex(State(random: simulation.makeRandom()))
    }

    /// What happens to frames from now on.
    package func setFaults(_ faults: NetworkFaults) { state.withLock { $0.faults = faults } }

    /// How many frames were dropped, doubled or let past others, and how many links were cut.
    package var faultCount: Int { state.withLock { $0.faultCount } }

    /// How many connections did not come about because one server refused the other.
    package var refusalCount: Int { state.withLock { $0.refusalCount } }

    /// Cuts one direction of a link: what is sent there, and what is under way, is lost.
    package func cut(from: PeerID, to: PeerID) {
        state.withLock {
            $0.cut.insert(Link(from: from, to: to))
            $0.faultCount += 1
        }
    }

    /// One direction of a link takes so much longer.
    package func slow(from: PeerID, to: PeerID, by delay: Duration) {
        state.withLock {
            $0.slow[Link(from: from, to: to)] = delay.nanoseconds
            $0.faultCount += 1
        }
    }

    /// The connections between two servers close, and both see it. New ones are made at the next frames.
    package func disconnect(_ one: PeerID, _ other: PeerID) {
        state.withLock { $0.faultCount += 1 }
        for link in [Link(from: one, to: other), Link(from: other, to: one)] { end(link) }
    }

    /// Every link carries again, as fast as before.
    package func healLinks() {
        state.withLock {
            $0.cut = []
            $0.slow = [:]
        }
    }

    /// The transport of a server that starts on `machine`: to be made anew at each start.
    ///
    /// - Parameter incarnation: which data directory it has.
    package func transport(
        of peer: PeerID,
        incarnation: UInt64 = 0,
        on machine: SimulatedMachine
    ) -> any Transport {
        let generation = state.withLock { state in
            let handshake = Handshake(cluster: 0, node: peer, incarnation: incarnation)
            var endpoint = state.endpoints[peer] ?? Endpoint(machine: machine, handshake: handshake)
            endpoint.machine = machine
            endpoint.handshake = handshake
            endpoint.generation += 1
            endpoint.sink = nil
            state.endpoints[peer] = endpoint
            return endpoint.generation
        }
        return SimulatedTransport(self, peer, generation)
    }

    /// The machine of `peer` crashed: those connected to it see their connections close.
    package func closeConnections(of peer: PeerID) {
        let links = state.withLock { state in
            state.endpoints[peer]?.sink = nil
            state.endpoints[peer]?.generation += 1
            for link in state.connections.keys where link.from == peer { state.connections[link] = nil }
            return state.connections.keys.filter { $0.to == peer }.sorted { $0.from < $1.from }
        }
        for link in links { end(link) }
    }

    /// A peer that is down has lost its data: nothing that it said arrives any more.
    package func forget(_ peer: PeerID) { state.withLock { $0.endpoints[peer] = nil } }

    /// A connection ends; its sender hears of it a moment later, and makes no other one before.
    private func end(_ link: Link) {
        let ended = state.withLock { state -> Connection? in
            guard let connection = state.connections.removeValue(forKey: link) else { return nil }
            state.ending.insert(link)
            return connection
        }
        guard let ended else { return }
        world.at(world.now + 100_000) { [self] in
            let sink = state.withLock { state -> (any TransportSink)? in
                state.ending.remove(link)
                guard let sender = state.endpoints[link.from], sender.generation == ended.senderGeneration,
                    sender.machine.isUp
                else { return nil }
                return sender.sink
            }
            sink?.linkDown(link.to, .closed)
        }
    }

    fileprivate func connect(_ peer: PeerID, _ generation: Int, _ sink: any TransportSink) {
        state.withLock { state in
            if state.endpoints[peer]?.generation == generation { state.endpoints[peer]?.sink = sink }
        }
    }

    fileprivate func send(_ frame: [UInt8], from sender: PeerID, _ generation: Int, to receiver: PeerID) {
        let link = Link(from: sender, to: receiver)
        guard let connection = connection(for: link, generation) else { return }
        let now = world.now
        let arrivals: [UInt64] = state.withLock { state in
            guard !state.cut.contains(link) else { return [] }
            if state.random.happens(perMille: state.faults.dropsPerMille) {
                state.faultCount += 1
                return []
            }
            var arrivals = [Self.arrival(link, now, &state)]
            if state.random.happens(perMille: state.faults.duplicatesPerMille), mayArriveTwice(frame) {
                state.faultCount += 1
                arrivals.append(Self.arrival(link, now, &state))
            }
            return arrivals
        }
        for arrival in arrivals {
            world.at(arrival) { [self] in deliver(frame, link, connection) }
        }
        straggle(frame, link)
    }

    /// Now and then a frame comes once more, much later.
    private func straggle(_ frame: [UInt8], _ link: Link) {
        let straggler = state.withLock { state -> (delay: UInt64, ends: [Handshake])? in
            guard state.random.happens(perMille: state.faults.stragglersPerMille), mayArriveTwice(frame) else {
                return nil
            }
            state.faultCount += 1
            let delay = UInt64.random(in: 0...NetworkFaults.stragglerDelay.nanoseconds, using: &state.random)
            return (delay, Self.ends(of: link, state))
        }
        guard let straggler else { return }
        world.at(world.now + straggler.delay) { [self] in
            let sink = state.withLock { state -> (any TransportSink)? in
                // What a server said before it lost its data died with that.
                guard let receiver = state.endpoints[link.to], receiver.machine.isUp, !state.cut.contains(link),
                    Self.ends(of: link, state) == straggler.ends
                else { return nil }
                return receiver.sink
            }
            if let sink { hand(frame, link, to: sink) }
        }
    }

    /// Who is at either end, and with which data.
    private static func ends(of link: Link, _ state: State) -> [Handshake] {
        [link.from, link.to].compactMap { state.endpoints[$0]?.handshake }
    }

    /// The number of the connection that a frame goes by, made if there is none. Nil: nobody is there, or one refuses the other.
    private func connection(for link: Link, _ generation: Int) -> Int? {
        enum Found {
            case number(Int)
            case ends(Endpoint, Endpoint)
            case nothing
        }
        let found: Found = state.withLock { state in
            guard let sender = state.endpoints[link.from], sender.generation == generation else { return .nothing }
            if let known = state.connections[link] { return .number(known.number) }
            guard let receiver = state.endpoints[link.to], receiver.sink != nil, receiver.machine.isUp,
                !state.ending.contains(link), !state.cut.contains(link),
                !state.cut.contains(Link(from: link.to, to: link.from))
            else { return .nothing }
            return .ends(sender, receiver)
        }
        switch found {
        case .number(let number): return number
        case .nothing: return nil
        case .ends(let sender, let receiver):
            guard receiver.sink?.refusal(of: sender.handshake) == nil,
                sender.sink?.refusal(of: receiver.handshake) == nil
            else {
                state.withLock { $0.refusalCount += 1 }
                return nil
            }
            let number = state.withLock { state in
                state.lastConnection += 1
                state.connections[link] = Connection(number: state.lastConnection, senderGeneration: generation)
                return state.lastConnection
            }
            sender.sink?.linkUp(link.to, incarnation: receiver.handshake.incarnation)
            return number
        }
    }

    private static func arrival(_ link: Link, _ now: UInt64, _ state: inout State) -> UInt64 {
        let delay = state.faults.delay
        let range = delay.lowerBound.nanoseconds...delay.upperBound.nanoseconds
        let arrival = now + UInt64.random(in: range, using: &state.random) + (state.slow[link] ?? 0)
        if state.random.happens(perMille: state.faults.reordersPerMille) {
            state.faultCount += 1
            return arrival
        }
        let inOrder = max(arrival, (state.lastArrival[link] ?? 0) + 1)
        state.lastArrival[link] = inOrder
        return inOrder
    }

    private func deliver(_ frame: [UInt8], _ link: Link, _ connection: Int) {
        let sink = state.withLock { state -> (any TransportSink)? in
            guard state.connections[link]?.number == connection, let receiver = state.endpoints[link.to],
                receiver.machine.isUp, !state.cut.contains(link)
            else { return nil }
            return receiver.sink
        }
        if let sink { hand(frame, link, to: sink) }
    }

    private func hand(_ frame: [UInt8], _ link: Link, to sink: any TransportSink) {
        do {
            try frame.withUnsafeBytes { try sink.received($0, from: link.from) }
        } catch {
            world.fail(.violation("server \(link.to) refuses a frame of server \(link.from): \(error)"))
        }
    }
}

/// One server's side of the network, for one start of it.
private final class SimulatedTransport: Transport {
    private let network: SimulatedNetwork
    private let peer: PeerID
    private let generation: Int

    init(_ network: SimulatedNetwork, _ peer: PeerID, _ generation: Int) {
        self.network = network
        self.peer = peer
        self.generation = generation
    }

    func start<Message>(under context: borrowing Context<Message>, sink: any TransportSink) throws {
        network.connect(peer, generation, sink)
    }

    /// Here everybody is found by number.
    func setPeers(_ peers: [PeerID: SocketAddress]) {}

    func send(_ frame: [UInt8], to receiver: PeerID) { network.send(frame, from: peer, generation, to: receiver) }
}
