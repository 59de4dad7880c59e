// Damage that others may not be able to repair: writes in the wrong place, and snapshots with a wrong bit.

internal import Conclave
internal import RaftCore
internal import RaftLog

extension RaftWorld {
    /// One of a server's batches went elsewhere: to another place of its segment, or of a file that was there before. It starts anew.
    ///
    /// The last batch of a log is left alone: that it is missing cannot be told from that it was never written (see `TornTail`).
    func misdirectWrite(_ place: NodeID) {
        let number = number(of: place)
        guard let id = id(place), mayLose(number), mayOrder, let resident = resident(id) else { return }
        crash(id, losesPower: false, isFault: false)
        defer { restart(id) }
        guard let before = resident.recovery(of: resident.disk), before.lost == nil else { return }
        for _ in 0..<8 {
            guard let write = drawMisdirection(on: resident.disk) else { return }
            let copy = resident.disk.copy()
            copy.misdirect(write)
            let after = resident.recovery(of: copy)
            if let after {
                if let silence = after.silence(of: before) {
                    return simulation.fail("recovery: server \(id) \(silence); \(write)")
                }
                if after.lost == nil { continue }
            }
            countFault()
            withState {
                $0.losers.insert(number)
                $0.misdirections += 1
                if after == nil { $0.refusing.insert(id) }
            }
            resident.disk.misdirect(write)
            simulation.note("\(id): \(write)")
            return
        }
    }

    /// Nil: no batch has another one behind it.
    private func drawMisdirection(on disk: MemoryDisk) -> MisdirectedWrite? {
        let files = (try? disk.list()) ?? []
        let segments = files.filter { $0.hasPrefix("segment-") && $0.hasSuffix(".wal") }
        let batches = segments.map(disk.batches(of:))
        guard let last = batches.lastIndex(where: { !$0.isEmpty }) else { return nil }
        // A segment that is begun proves that all before it was written.
        let choices = batches.indices.flatMap { segment in
            let surplus = segment == last && last == segments.count - 1 ? 1 : 0
            return batches[segment].dropLast(surplus).map { (segment, $0) }
        }
        // Every other time one of the last, over one just before it: little is left then that tells of those behind it.
        let isLate = site.draw { Bool.random(using: &$0) }
        guard let (segment, batch) = site.draw({ choices.suffix(isLate ? 3 : .max).randomElement(using: &$0) }) else {
            return nil
        }
        let others = segments[..<segment] + files.filter { $0.hasSuffix(".snap") || $0 == "IDENTITY" }
        let starts = batches[segment].map(\.lowerBound).filter { $0 < batch.lowerBound }.suffix(isLate ? 3 : .max)
        return site.draw { random in
            let isElsewhere = Int.random(in: 0..<4, using: &random) == 0
            let file = isElsewhere ? others.randomElement(using: &random) ?? segments[segment] : segments[segment]
            let size = max(disk.contents(of: file)?.count ?? 0, batch.count + 8)
            var offset = Int.random(in: 0...(size - batch.count) / 8, using: &random) * 8
            if file == segments[segment], Bool.random(using: &random), let start = starts.randomElement(using: &random)
            {
                offset = start
            }
            return MisdirectedWrite(batch, of: segments[segment], to: offset, of: file)
        }
    }

    /// One bit of a server's snapshot is wrong. Every other time it starts anew: from its log, where that still has everything and the
    /// snapshot is seen to be damaged before it is read; otherwise not at all. In the other cases it finds out when it starts next, or when
    /// it leads and a follower needs the snapshot; then it replaces the file.
    func rotSnapshot(_ place: NodeID) {
        let number = number(of: place)
        guard let id = id(place), mayLose(number), mayOrder, let resident = resident(id) else { return }
        let startsAnew = site.draw { Bool.random(using: &$0) }
        if startsAnew { crash(id, losesPower: false, isFault: false) }
        defer { if startsAnew { restart(id) } }
        guard let before = resident.recovery(of: resident.disk), before.lost == nil, let snapshot = before.snapshot,
            resident.disk.contents(of: snapshot.fileName) != nil
        else { return }
        countFault()
        let (byte, bit) = drawBit(ofBytes: snapshot.sizeBytes)
        resident.disk.flipBit(of: snapshot.fileName, byte: byte, bit: bit)
        let after = resident.recovery(of: resident.disk)
        if let silence = after?.silence(of: before) {
            return simulation.fail("recovery: server \(id) \(silence); its snapshot is damaged at byte \(byte)")
        }
        withState {
            $0.losers.insert(number)
            $0.rottenSnapshots += 1
            if after == nil { $0.refusing.insert(id) }
        }
        simulation.note("\(id): \(snapshot.fileName) is wrong at byte \(byte)")
    }

    /// A server finds its disk damaged beyond what others could repair, says so, and does not start: as it must. Operators replace it.
    func refusesToStart(_ id: NodeID, _ error: any Error) {
        guard withState({ $0.refusing.contains(id) }), error is LogError else {
            return simulation.fail("server \(id) does not start again: \(error)")
        }
        simulation.note("\(id) refuses to start: \(error)")
        crash(id, losesPower: false, isFault: false)
        withState { _ = $0.retired.insert(id) }
        orderReplacement(ofLost: id)
    }
}

extension Recovered {
    /// What this recovery says nothing of, although an earlier one of the same files before they were damaged shows it. Nil: it names
    /// all that is lost.
    fileprivate func silence(of before: Recovered) -> String? {
        if hardState != before.hardState { return "takes \(hardState) for its hard state, not \(before.hardState)" }
        if start.index > max(before.start.index, snapshot?.position.index ?? .zero) {
            return "begins at \(start) without a snapshot"
        }
        let last = start.index + entries.count
        let lastBefore = before.start.index + before.entries.count
        if last != lastBefore { return "has entries up to \(last), not \(lastBefore)" }
        let lost = Set(damaged.map(\.index))
        for entry in before.entries where entry.index > start.index && !lost.contains(entry.index) {
            let found = entries[entry.index - start.index - 1]
            if found != entry { return "has another entry \(entry.index)" }
        }
        return nil
    }
}
