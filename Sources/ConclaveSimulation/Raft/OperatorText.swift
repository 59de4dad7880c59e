// How an operator's request, and what comes of it, read in a trace.

internal import ConclaveRaft
internal import RaftCore

/// Short texts, as in `promote n4, remove n1 at n2: refused, another change of the membership is in progress`.
enum OperatorText {
    static func text(_ command: AdminCommand) -> String {
        switch command {
        case .transferLeadership(let target): "transfer" + (target.map { " to \($0)" } ?? "")
        case .change(let steps): steps.map { "\(verb($0)) \($0.id)" }.joined(separator: ", ")
        }
    }

    private static func verb(_ step: ConfigurationStep) -> String {
        switch step {
        case .add, .addLearner: "add"
        case .promote: "promote"
        case .demote: "demote"
        case .remove: "remove"
        case .describe: "describe"
        }
    }

    static func text(_ result: AdminResult) -> String {
        switch result {
        case .success: "done"
        case .failure(.refused(let refusal)): "refused, \(refusal)"
        case .failure(.request(.notDone(let refusal))): "not done, \(refusal)"
        case .failure(.request(.unknown(let doubt))): "unknown, \(doubt)"
        case .failure(.request(.session(let refusal))): "refused, \(refusal)"
        }
    }
}
