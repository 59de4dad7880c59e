// Takes down what clients do while they do it.

internal import Synchronization

/// Records a history from any number of clients and threads.
///
/// Record an invocation before the call is sent and an answer after it was received: then the recorded span holds the true one.
public final class HistoryRecorder<Model: SequentialModel>: Sendable {
    /// One call under way.
    public struct OpenCall: Sendable {
        fileprivate let index: Int
    }

    /// At most this many operations are taken down; a call beyond is a mistake of the caller.
    public let capacity: Int
    private let operations = Mutex<[RecordedOperation<Model>]>([])

    /// - Parameter capacity: the most operations to take down.
    public init(capacity: Int = 10_000_000) { self.capacity = capacity }

    /// A client is about to call. Without another word the outcome stays unknown.
    public func invoke(client: Int, key: String, _ call: Model.Call, at time: UInt64) -> OpenCall {
        operations.withLock { operations in
            precondition(operations.count < capacity, "a history recorder takes \(capacity) operations")
            operations.append(
                RecordedOperation(client: client, key: key, call: call, invoked: time, outcome: .unknown)
            )
            return OpenCall(index: operations.count - 1)
        }
    }

    /// The client was answered.
    public func answered(_ call: OpenCall, _ answer: Model.Answer, at time: UInt64) {
        close(call, .answered(answer, at: time))
    }

    /// The client was told that the call was not, and will not be, carried out.
    public func failed(_ call: OpenCall, at time: UInt64) { close(call, .failed(at: time)) }

    /// What was recorded so far.
    public var history: History<Model> { History(operations.withLock { $0 }) }

    private func close(_ call: OpenCall, _ outcome: RecordedOperation<Model>.Outcome) {
        operations.withLock { operations in
            guard case .unknown = operations[call.index].outcome else {
                preconditionFailure("an operation ended twice: \(operations[call.index])")
            }
            operations[call.index].outcome = outcome
        }
    }
}
