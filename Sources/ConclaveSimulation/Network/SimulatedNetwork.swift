// The network between simulated machines: the `Transport` that servers use, with faults.

internal import Conclave
package import ConclaveNet
internal import Synchronization

/// Carries frames between machines under virtual time.
///
/// A frame belongs to the connection it was sent on: what was under way to or from a machine that crashes is lost.
package final class SimulatedNetwork: Sendable {
    private struct Link: Hashable {
        var from: PeerID
        var to: PeerID
    }

    private struct Endpoint {
        var machine: SimulatedMachine
        /// Counts its starts.
        var generation = 0
        var sink: (any TransportSink)?
    }

    private struct State {
        var random: SimulationRandom
        var faults = NetworkFaults()
        var endpoints: [PeerID: Endpoint] = [:]
        var cut: Set<Link> = []
        /// When the last frame of each link arrives: the next one comes later, unless it may overtake.
        var lastArrival: [Link: UInt64] = [:]
        var faultCount = 0
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

    /// Cuts one direction of a link: what is sent there, and what is under way, is lost.
    package func cut(from: PeerID, to: PeerID) {
        state.withLock {
            $0.cut.insert(Link(from: from, to: to))
            $0.faultCount += 1
        }
    }

    /// Every link carries again.
    package func healLinks() { state.withLock { $0.cut = [] } }

    /// The transport of a server that starts on `machine`: to be made anew at each start.
    package func transport(of peer: PeerID, on machine: SimulatedMachine) -> any Transport {
        let generation = state.withLock { state in
            var endpoint = state.endpoints[peer] ?? Endpoint(machine: machine)
            endpoint.machine = machine
            endpoint.generation += 1
            endpoint.sink = nil
            state.endpoints[peer] = endpoint
            return endpoint.generation
        }
        return SimulatedTransport(self, peer, generation)
    }

    /// The machine of `peer` crashed: those connected to it see their connections close.
    package func closeConnections(of peer: PeerID) {
        let others = state.withLock { state in
            state.endpoints[peer]?.sink = nil
            state.endpoints[peer]?.generation += 1
            return state.endpoints.filter { $0.key != peer && $0.value.sink != nil }.keys.sorted()
        }
        for other in others {
            world.at(world.now + 100_000) { [self] in
                let sink = state.withLock { state -> (any TransportSink)? in
                    guard let endpoint = state.endpoints[other], endpoint.machine.isUp else { return nil }
                    return endpoint.sink
                }
                sink?.linkDown(peer, .closed)
            }
        }
    }

    fileprivate func connect(_ peer: PeerID, _ generation: Int, _ sink: any TransportSink) {
        state.withLock { state in
            if state.endpoints[peer]?.generation == generation { state.endpoints[peer]?.sink = sink }
        }
    }

    fileprivate func send(_ frame: [UInt8], from sender: PeerID, _ generation: Int, to receiver: PeerID) {
        let link = Link(from: sender, to: receiver)
        let now = world.now
        let arrivals: [(UInt64, Int)] = state.withLock { state in
            guard let target = state.endpoints[receiver], !state.cut.contains(link) else { return [] }
            if state.random.happens(perMille: state.faults.dropsPerMille) {
                state.faultCount += 1
                return []
            }
            var arrivals = [(Self.arrival(link, now, &state), target.generation)]
            if state.random.happens(perMille: state.faults.duplicatesPerMille), mayArriveTwice(frame) {
                state.faultCount += 1
                arrivals.append((Self.arrival(link, now, &state), target.generation))
            }
            return arrivals
        }
        for (arrival, targetGeneration) in arrivals {
            world.at(arrival) { [self] in
                deliver(frame, link, generation, targetGeneration)
            }
        }
    }

    private static func arrival(_ link: Link, _ now: UInt64, _ state: inout State) -> UInt64 {
        let delay = state.faults.delay
        let range = delay.lowerBound.nanoseconds...delay.upperBound.nanoseconds
        let arrival = now + UInt64.random(in: range, using: &state.random)
        if state.random.happens(perMille: state.faults.reordersPerMille) {
            state.faultCount += 1
            return arrival
        }
        let inOrder = max(arrival, (state.lastArrival[link] ?? 0) + 1)
        state.lastArrival[link] = inOrder
        return inOrder
    }

    private func deliver(_ frame: [UInt8], _ link: Link, _ senderGeneration: Int, _ receiverGeneration: Int) {
        let sink = state.withLock { state -> (any TransportSink)? in
            guard let sender = state.endpoints[link.from], let receiver = state.endpoints[link.to],
                sender.generation == senderGeneration, receiver.generation == receiverGeneration,
                receiver.machine.isUp, !state.cut.contains(link)
            else { return nil }
            return receiver.sink
        }
        guard let sink else { return }
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
