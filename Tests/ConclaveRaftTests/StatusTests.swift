import RaftCore
import Testing

@testable import ConclaveRaft

@Suite("Status") struct StatusTests {
    @Test("at no moment has a server applied what it does not show as committed and in its log")
    func order() {
        let board = StatusBoard(RaftStatus(id: NodeID(1), configuration: .unknown))
        board.update { ($0.lastIndex, $0.commitIndex) = (LogIndex(4), LogIndex(2)) }
        for applied in 1...UInt64(6) {
            board.setApplied(LogIndex(applied))
            let status = board.current
            #expect(status.appliedIndex == LogIndex(applied))
            #expect(status.commitIndex == LogIndex(max(applied, 2)) && status.lastIndex == LogIndex(max(applied, 4)))
        }
    }
}
