import ConclaveRaft
import RaftCore
import Testing

@testable import ConclaveSimulation

@Suite("How operators' requests read in a trace")
struct OperatorTextTests {
    @Test("a change says each of its steps, a transfer its target")
    func commands() {
        let newcomer = MemberRecord(NodeID(4), peerAddress: "127.0.0.1:1")
        #expect(OperatorText.text(.change([.add(newcomer)])) == "add n4")
        #expect(OperatorText.text(.change([.promote(NodeID(4)), .remove(NodeID(1))])) == "promote n4, remove n1")
        #expect(OperatorText.text(.transferLeadership(to: NodeID(2))) == "transfer to n2")
        #expect(OperatorText.text(.transferLeadership(to: nil)) == "transfer")
    }

    @Test("a result says whether it is done, and why not")
    func results() {
        #expect(OperatorText.text(.success(())) == "done")
        #expect(OperatorText.text(.failure(.refused(.notVoter))) == "refused, the target is no voter")
        #expect(OperatorText.text(.failure(.request(.noLeader))) == "not done, noLeader")
        #expect(OperatorText.text(.failure(.request(.timeout))) == "unknown, timeout")
    }
}
