import ConclaveSimulation
import RaftCore
import Testing

/// Tables by small numbers are dictionaries.
@Suite struct NumberedTableTests {
    @Test("a numbered table holds what a dictionary holds after the same changes")
    func sameAsDictionary() {
        var random = SimulationRandom(seed: 1)
        var table = NumberedTable<NodeID, [Int]>()
        var dictionary: [NodeID: [Int]] = [:]
        for step in 0..<2_000 {
            let key = NodeID(UInt64.random(in: 0..<40, using: &random))
            switch Int.random(in: 0..<5, using: &random) {
            case 0:
                table[key] = [step]
                dictionary[key] = [step]
            case 1:
                table[key] = nil
                dictionary[key] = nil
            case 2:
                table[key]?.append(step)
                dictionary[key]?.append(step)
            case 3:
                table[key, default: [-1]].append(step)
                dictionary[key, default: [-1]].append(step)
            default: #expect(table.updateValue([], forKey: key) == dictionary.updateValue([], forKey: key))
            }
            #expect(table[key] == dictionary[key] && table[key, default: [7]] == dictionary[key, default: [7]])
            #expect(table.keys == dictionary.keys.sorted())
        }
        table.removeAll()
        #expect(table.keys.isEmpty && table[NodeID(3)] == nil)
    }
}
