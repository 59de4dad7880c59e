// What time it is on one machine: the world's, until its clock is wrong.

/// A monotonic clock that may run too fast or too slow, and jump ahead.
struct MachineClock {
    /// World time and the machine's own at the last change.
    private var worldBase: UInt64 = 0
    private var ownBase: UInt64 = 0
    /// So many millionths faster than the world's clock; negative: slower.
    private var partsPerMillion: Int64 = 0

    /// The machine's time at a moment of the world, no earlier than the last change.
    func own(at world: UInt64) -> UInt64 {
        let passed = Int64(clamping: world - worldBase)
        // In two parts, so that no product overflows.
        let ahead = passed / 1_000_000 * partsPerMillion + passed % 1_000_000 * partsPerMillion / 1_000_000
        return ownBase &+ UInt64(bitPattern: passed &+ ahead)
    }

    /// The first moment of the world at which the machine's clock has reached `own`; that of the last change for what is over, and the
    /// end of all time for what is centuries ahead.
    func world(at own: UInt64) -> UInt64 {
        guard own > ownBase else { return worldBase }
        let wanted = own - ownBase
        guard partsPerMillion != 0 else {
            return worldBase.addingReportingOverflow(wanted).overflow ? .max : worldBase + wanted
        }
        let product = wanted.multipliedFullWidth(by: 1_000_000)
        let divisor = UInt64(1_000_000 + partsPerMillion)
        guard product.high < divisor else { return .max }
        let distance = divisor.dividingFullWidth(product).quotient
        guard distance < 1 << 62, wanted < 1 << 62 else { return .max }
        var world = worldBase + distance
        // Rounding may have put it a few nanoseconds early.
        while self.own(at: world) < own { world += 1 }
        return world
    }

    /// From `world` on it runs at another rate: so many millionths faster, more than -1,000,000.
    mutating func setRate(partsPerMillion: Int, at world: UInt64) {
        precondition(
            (-999_999...1_000_000_000).contains(partsPerMillion),
            "\(partsPerMillion) ppm is no rate of a clock"
        )
        rebase(at: world)
        self.partsPerMillion = Int64(partsPerMillion)
    }

    /// At `world` it jumps ahead.
    mutating func jump(by nanoseconds: UInt64, at world: UInt64) {
        rebase(at: world)
        ownBase += nanoseconds
    }

    private mutating func rebase(at world: UInt64) { (worldBase, ownBase) = (world, own(at: world)) }
}
