// Makes a failing run of a cluster small enough to read.

/// Cuts a fault plan down to what the failure needs.
package struct Shrinker {
    private var shrinker: StepShrinker<FaultPlan.Step>

    /// - Parameter fails: whether a run under this plan still fails in the same way.
    package init(budget: Int, fails: @escaping (FaultPlan) -> Bool) {
        shrinker = StepShrinker(budget: budget) { fails(FaultPlan($0)) }
    }

    /// The smallest failing plan found: with enough budget, one of which no single step can be left out.
    package mutating func shrink(_ plan: FaultPlan) -> FaultPlan { FaultPlan(shrinker.shrink(plan.steps)) }
}
