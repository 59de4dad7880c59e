// Why a run failed.

/// What ends a simulation with a failure.
public enum SimulationError: Error, Sendable, CustomStringConvertible {
    /// The body waits for something, and nothing in the world is left that could happen: it waits for ever, or for something outside of
    /// the simulation, such as real time.
    case stalled
    /// The body had not ended by its deadline of virtual time.
    case deadline(Duration)
    /// So many steps happened without any time passing: actors keep each other busy for ever.
    case livelock(steps: Int)
    /// A thread that is none of the simulation's sent a message or resumed a task: real time, a socket, a queue or an executor of
    /// another kind is in use, and the run cannot be repeated.
    case outsideInterference
    /// Two runs of the same seed took different steps: real random numbers, the order of a dictionary or a set, or something else that
    /// does not follow from the seed is in use. Thrown by `Simulation.twice`.
    case notRepeatable
    /// A checker's complaint, in its words.
    case violation(String)

    /// For people.
    public var description: String {
        switch self {
        case .stalled: "stalled: nothing is left to happen, and the body still waits; does it use real time?"
        case .deadline(let deadline): "the body had not ended after \(deadline) of virtual time"
        case .livelock(let steps): "livelock: \(steps) steps without any time passing"
        case .outsideInterference:
            "something outside of the simulation acted on it: real time, a socket, another thread"
        case .notRepeatable:
            "two runs of the same seed took different steps: are there real random numbers, or a dictionary's order?"
        case .violation(let complaint): "violation: \(complaint)"
        }
    }
}
