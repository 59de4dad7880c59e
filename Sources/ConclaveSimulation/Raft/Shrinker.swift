// Makes a failing run small enough to read.

/// Cuts a fault plan down to what the failure needs (delta debugging, Zeller and Hildebrandt 2002).
package struct Shrinker {
    /// Whether a run under this plan still fails in the same way.
    private let fails: (FaultPlan) -> Bool
    /// Runs that may still be made.
    private var budget: Int

    package init(budget: Int, fails: @escaping (FaultPlan) -> Bool) {
        self.budget = budget
        self.fails = fails
    }

    /// The smallest failing plan found: with enough budget, one of which no single step can be left out.
    package mutating func shrink(_ plan: FaultPlan) -> FaultPlan {
        var plan = plan
        var parts = 2
        while plan.steps.count >= 2, budget > 0 {
            let size = (plan.steps.count + parts - 1) / parts
            var isSmaller = false
            for start in stride(from: 0, to: plan.steps.count, by: size) {
                let end = min(start + size, plan.steps.count)
                let rest = FaultPlan(Array(plan.steps[..<start] + plan.steps[end...]))
                guard budget > 0 else { return plan }
                budget -= 1
                guard fails(rest) else { continue }
                plan = rest
                parts = max(parts - 1, 2)
                isSmaller = true
                break
            }
            if isSmaller { continue }
            if size == 1 { break }
            parts = min(parts * 2, plan.steps.count)
        }
        // Perhaps it fails without any fault.
        if plan.steps.count == 1, budget > 0, fails(FaultPlan()) { return FaultPlan() }
        return plan
    }
}
