// How the mailbox loop tells an instrument. The loop is compiled twice: with a probe that does nothing, and with one that does.

/// Follows one actor's handlers.
@usableFromInline
protocol BatchProbe: Sendable {
    /// The mark of a message, `markOffset` bytes behind the start of its payload; `noMark` if it has none.
    func mark(of node: NodePointer, _ markOffset: Int) -> UInt64
    /// A message is about to be received. It has been taken out of the mailbox: instruments may trap.
    func willReceive(_ cell: CellPointer, mark: UInt64)
    func didReceive(_ cell: CellPointer)
    func didFail(_ cell: CellPointer, _ error: any Error)
}

/// Costs nothing.
@usableFromInline
struct NoProbe: BatchProbe {
    @inlinable init() {}
    @inlinable @inline(__always) func mark(of node: NodePointer, _ markOffset: Int) -> UInt64 { InstrumentProbe.noMark }
    @inlinable @inline(__always) func willReceive(_ cell: CellPointer, mark: UInt64) {}
    @inlinable @inline(__always) func didReceive(_ cell: CellPointer) {}
    @inlinable @inline(__always) func didFail(_ cell: CellPointer, _ error: any Error) {}
}

/// Tells the system's instrument.
@usableFromInline
struct InstrumentProbe: BatchProbe {
    @usableFromInline init() {}

    @usableFromInline
    func mark(of node: NodePointer, _ markOffset: Int) -> UInt64 {
        (node.payload + markOffset).load(as: UInt64.self)
    }

    @usableFromInline
    func willReceive(_ cell: CellPointer, mark: UInt64) {
        instrument(cell)?.pointee.handlerBegins(in: info(cell), mark: mark == Self.noMark ? nil : mark)
    }

    @usableFromInline
    func didReceive(_ cell: CellPointer) { instrument(cell)?.pointee.handlerEnded(in: info(cell), error: nil) }

    @usableFromInline
    func didFail(_ cell: CellPointer, _ error: any Error) {
        instrument(cell)?.pointee.handlerEnded(in: info(cell), error: error)
    }

    private func instrument(_ cell: CellPointer) -> UnsafePointer<any Instrument>? { cell.pointee.object.instrument }
    private func info(_ cell: CellPointer) -> ActorInfo { ActorInfo(cell.pointee.object) }

    /// In the place of a mark, for a message that has none.
    @inlinable static var noMark: UInt64 { .max }
}

/// Where an instrumented message carries its mark.
@usableFromInline
enum MessageLayout<Message> {
    /// Bytes behind the start of the payload, the first multiple of 8 behind the message.
    @inlinable static var markOffset: Int { (MemoryLayout<Message>.size + 7) & ~7 }
}

extension ActorCell {
    /// The system's, without a count of the system's references.
    var instrument: UnsafePointer<any Instrument>? { owningSystem._withUnsafeGuaranteedRef { $0.instrument } }

    /// Asks the instrument for the mark of a message that is about to be sent here.
    @usableFromInline @inline(never)
    func makeMark() -> UInt64 {
        let sender = ThreadState.current.pointee.current.map { ActorInfo($0.pointee.object) }
        let mark = instrument?.pointee.messageSent(to: ActorInfo(self), from: sender)
        return mark ?? InstrumentProbe.noMark
    }
}
