// The network between simulated machines: the `Transport` that servers use, with faults.

internal import Conclave
package import ConclaveNet
internal import Synchronization

/// Carries frames between machines under virtual time.
///
/// As over TCP, each server has a connection to each other one, for what it sends there: made when it first sends, after a handshake in which
/// either may refuse the other. A frame belongs to its connection: what was under way on one that ends is lost.
package final class SimulatedNetwork: Sendable {
    private struct Link {
        var from: PeerID
        var to: PeerID

        var back: Link { Link(from: to, to: from) }
    }

    /// How one direction between two servers is.
    private struct LinkState {
        var isCut = false
        /// How much longer frames take, in nanoseconds.
        var slowBy: UInt64 = 0
        /// Nil: none, it is made with the next frame.
        var connection: Connection?
        /// A connection ended, and the sender is yet to hear of it.
        var isEnding = false
        /// When the last frame arrives: the next one comes later, unless it may overtake.
        var lastArrival: UInt64 = 0
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
        var faults = NetworkFaults() {
            didSet { delay = Self.nanoseconds(faults.delay) }
        }
        /// Of `faults`, in nanoseconds: asked for with each frame.
        private(set) var delay = State.nanoseconds(NetworkFaults().delay)
        var endpoints = NumberedTable<PeerID, Endpoint>()
        /// By sender, then by receiver.
        var links = NumberedTable<PeerID, NumberedTable<PeerID, LinkState>>()
        var lastConnection = 0
        var faultCount = 0
        var refusalCount = 0

        subscript(link: Link) -> LinkState {
            get { links[link.from]?[link.to] ?? LinkState() }
            _modify { yield &links[link.from, default: NumberedTable()][link.to, default: LinkState()] }
        }

        /// All links that were ever used, in order.
        var allLinks: [Link] {
            links.keys.flatMap { from in (links[from]?.keys ?? []).map { Link(from: from, to: $0) } }
        }

        private static func nanoseconds(_ range: ClosedRange<Duration>) -> ClosedRange<UInt64> {
            range.lowerBound.nanoseconds...range.upperBound.nanoseconds
        }

        init(random: SimulationRandom) { self.random = random }

        /// Who listens where a link ends; nil: nobody, or nothing gets there.
        func listener(of link: Link) -> (any TransportSink)? {
            guard !self[link].isCut, endpoints[link.to]?.machine.isUp == true else { return nil }
            return endpoints[link.to]?.sink
        }

        /// Who is at either end, and with which data.
        func ends(of link: Link) -> [Handshake] { [link.from, link.to].compactMap { endpoints[$0]?.handshake } }
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
            $0[Link(from: from, to: to)].isCut = true
            $0.faultCount += 1
        }
    }

    /// One direction of a link takes so much longer.
    package func slow(from: PeerID, to: PeerID, by delay: Duration) {
        state.withLock {
            $0[Link(from: from, to: to)].slowBy = delay.nanoseconds
            $0.faultCount += 1
        }
    }

    /// The connections between two servers close, and both see it. New ones are made at the next frames.
    package func disconnect(_ one: PeerID, _ other: PeerID) {
        state.withLock { $0.faultCount += 1 }
        let link = Link(from: one, to: other)
        end(link)
        end(link.back)
    }

    /// Every link carries again, as fast as before.
    package func healLinks() {
        state.withLock { state in
            for link in state.allLinks { (state[link].isCut, state[link].slowBy) = (false, 0) }
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
            let all = state.allLinks
            for link in all where link.from == peer { state[link].connection = nil }
            return all.filter { $0.to == peer && state[$0].connection != nil }
        }
        for link in links { end(link) }
    }

    /// A peer that is down has lost its data: nothing that it said arrives any more.
    package func forget(_ peer: PeerID) { state.withLock { $0.endpoints[peer] = nil } }

    /// A connection ends; its sender hears of it a moment later, and makes no other one before.
    private func end(_ link: Link) {
        let ended = state.withLock { state -> Connection? in
            guard let connection = state[link].connection.take() else { return nil }
            state[link].isEnding = true
            return connection
        }
        guard let ended else { return }
        world.at(world.now + 100_000) { [self] in
            let sink = state.withLock { state -> (any TransportSink)? in
                state[link].isEnding = false
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
        let (arrival, second): (UInt64?, UInt64?) = state.withLock { state in
            guard !state[link].isCut else { return (nil, nil) }
            if state.random.happens(perMille: state.faults.dropsPerMille) {
                state.faultCount += 1
                return (nil, nil)
            }
            let arrival = Self.arrival(link, now, &state)
            guard state.random.happens(perMille: state.faults.duplicatesPerMille), mayArriveTwice(frame) else {
                return (arrival, nil)
            }
            state.faultCount += 1
            return (arrival, Self.arrival(link, now, &state))
        }
        if let arrival { world.at(arrival) { [self] in deliver(frame, link, connection) } }
        if let second { world.at(second) { [self] in deliver(frame, link, connection) } }
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
            return (delay, state.ends(of: link))
        }
        guard let straggler else { return }
        world.at(world.now + straggler.delay) { [self] in
            let sink = state.withLock { state -> (any TransportSink)? in
                // What a server said before it lost its data died with that.
                state.ends(of: link) == straggler.ends ? state.listener(of: link) : nil
            }
            if let sink { hand(frame, link, to: sink) }
        }
    }

    /// The number of the connection that a frame goes by, made if there is none. Nil: nobody is there, or one refuses the other.
    private func connection(for link: Link, _ generation: Int) -> Int? {
        enum Found {
            case number(Int)
            case ends(Endpoint, Endpoint)
            case nothing
        }
        let found: Found = state.withLock { state in
            guard state.endpoints[link.from]?.generation == generation else { return .nothing }
            let known = state[link]
            if let connection = known.connection { return .number(connection.number) }
            guard let sender = state.endpoints[link.from], let receiver = state.endpoints[link.to],
                receiver.sink != nil, receiver.machine.isUp, !known.isEnding, !known.isCut, !state[link.back].isCut
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
                state[link].connection = Connection(number: state.lastConnection, senderGeneration: generation)
                return state.lastConnection
            }
            sender.sink?.linkUp(link.to, incarnation: receiver.handshake.incarnation)
            return number
        }
    }

    private static func arrival(_ link: Link, _ now: UInt64, _ state: inout State) -> UInt64 {
        let arrival = now + UInt64.random(in: state.delay, using: &state.random) + state[link].slowBy
        if state.random.happens(perMille: state.faults.reordersPerMille) {
            state.faultCount += 1
            return arrival
        }
        let inOrder = max(arrival, state[link].lastArrival + 1)
        state[link].lastArrival = inOrder
        return inOrder
    }

    private func deliver(_ frame: [UInt8], _ link: Link, _ connection: Int) {
        let sink = state.withLock { state -> (any TransportSink)? in
            state[link].connection?.number == connection ? state.listener(of: link) : nil
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
