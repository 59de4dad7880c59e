// Makes a failing run small enough to read.

/// Cuts a list of steps down to those that a failure needs (delta debugging: Zeller and Hildebrandt, 2002).
///
///     var shrinker = StepShrinker<Order>(budget: 200) { orders in fails(orders, seed: 7) }
///     let few = shrinker.shrink(orders)
public struct StepShrinker<Step> {
    /// Whether a run with these steps still fails in the same way.
    private let fails: ([Step]) -> Bool
    /// Runs that may still be made.
    private var budget: Int

    /// - Parameters:
    ///   - budget: how many runs may be made.
    ///   - fails: makes a run with these steps, in this order, and says whether it still fails in the way that is looked for. It must say
    ///     the same each time, as runs of one seed do.
    public init(budget: Int, fails: @escaping ([Step]) -> Bool) {
        self.budget = budget
        self.fails = fails
    }

    /// The smallest failing list found: with enough budget, one of which no single step can be left out.
    public mutating func shrink(_ steps: [Step]) -> [Step] {
        var steps = steps
        var parts = 2
        while steps.count >= 2, budget > 0 {
            let size = (steps.count + parts - 1) / parts
            var isSmaller = false
            for start in stride(from: 0, to: steps.count, by: size) {
                let rest = Array(steps[..<start] + steps[min(start + size, steps.count)...])
                guard budget > 0 else { return steps }
                budget -= 1
                guard fails(rest) else { continue }
                steps = rest
                parts = max(parts - 1, 2)
                isSmaller = true
                break
            }
            if isSmaller { continue }
            if size == 1 { break }
            parts = min(parts * 2, steps.count)
        }
        // Perhaps it fails without any.
        if steps.count == 1, budget > 0, fails([]) { return [] }
        return steps
    }
}
