import Testing

@testable import ConclaveSimulation

@Suite struct OperationSetTests {
    @Test("a set of operations behaves as a set, and equal sets are equal values")
    func behavesAsASet() {
        var random = SimulationRandom.drawn("behavesAsASet")
        for _ in 0..<300 {
            var sets = [OperationSet(), OperationSet()]
            var expected: [Set<Int>] = [[], []]
            let range = Int.random(in: 1...260, using: &random)
            for _ in 0..<400 {
                let which = Int.random(in: 0...1, using: &random)
                let member = Int.random(in: 0..<range, using: &random)
                if expected[which].contains(member) {
                    sets[which].remove(member)
                    expected[which].remove(member)
                } else {
                    sets[which].insert(member)
                    expected[which].insert(member)
                }
                #expect((sets[0] == sets[1]) == (expected[0] == expected[1]))
                #expect(sets[0].isSubset(of: sets[1]) == expected[0].isSubset(of: expected[1]))
            }
            var rebuilt = OperationSet()
            for member in expected[0].shuffled(using: &random) { rebuilt.insert(member) }
            #expect(rebuilt == sets[0])
        }
    }
}
