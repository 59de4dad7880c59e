// Snapshots take the place of old segments.

package import RaftCore

/// When a snapshot is due: whichever comes first.
package struct SnapshotPolicy: Hashable, Sendable {
    /// The log has grown by so many bytes since the last one.
    package var logBytes = 128 << 20
    /// It has grown by so many entries.
    package var entries = 500_000

    package init() {}

    /// Whether a log that has grown so much needs one.
    package func isDue(bytesSince bytes: Int, entriesSince count: Int) -> Bool { bytes >= logBytes || count >= entries }
}

extension WriteAheadLog {
    /// Makes a sealed snapshot this server's: records it in the log, gives the file its name, removes the one before. Durable
    /// when it returns; a crash on the way leaves the old snapshot or the new one, with a log that goes with it (raft-rules P29).
    ///
    /// One of the same position as the present one takes the place of that one's file, which may have been damaged: the log has
    /// nothing to record then, and a crash leaves the one file or the other under the one name.
    ///
    /// The log itself stays as it is: `dropOldSegments` cuts it.
    ///
    /// - Parameter replacingLog: the log does not hold the snapshot's last entry: all of it is dropped, and goes on behind the
    ///   snapshot.
    /// - Throws: `LogError.diskFull` when there is no space for the record: the snapshot may be adopted later. `LogError.failed`
    ///   as in `sync`.
    package func adopt(_ sealed: SealedSnapshot, replacingLog: Bool) throws(LogError) {
        let position = sealed.info.position
        let isReplacement = position == snapshot?.position
        precondition(
            position.index > snapshot?.position.index ?? .zero || isReplacement && !replacingLog,
            "\(position) is not behind \(snapshot as Any)"
        )
        precondition(
            replacingLog || terms.term(at: position.index) == position.term,
            "the log does not hold \(position): the snapshot has to take its place"
        )
        if !isReplacement { try record(position, replacingLog: replacingLog) }
        do {
            try disk.rename(sealed.temporaryName, to: sealed.info.fileName)
            try disk.syncDirectory()
        } catch {
            throw fail(error)
        }
        if let old = snapshot, !isReplacement { try? disk.remove(old.fileName) }
        snapshot = sealed.info
        bytesAtSnapshot = totalBytes
    }

    /// Drops the segments whose entries all lie at or before the snapshot, except the tail asked for. Only whole segments are dropped:
    /// up to one more than its entries need is there, none beyond its bytes. Their files are kept as spares or removed.
    package func dropOldSegments(keeping tail: LogTail = LogTail()) throws(LogError) {
        try requireHealthy()
        guard let index = snapshot?.position.index else { return }
        let covered = sealed.prefix { $0.highestIndex <= index }
        var coveredBytes = covered.reduce(0) { $0 + $1.usedBytes }
        var count = 0
        for old in covered {
            let isWanted = index - old.highestIndex < tail.entries && coveredBytes <= tail.bytes
            if isWanted { break }
            coveredBytes -= old.usedBytes
            count += 1
        }
        guard count > 0 else { return }
        var freed: [String] = []
        do {
            for old in sealed[..<count] {
                let name = SegmentHeader.fileName(old.id)
                if old.sizeBytes == options.segmentSizeBytes, spares.names.count + freed.count < options.spareSegments {
                    let spare = spares.newName(isRecycled: true)
                    try disk.rename(name, to: spare)
                    freed.append(spare)
                } else {
                    try disk.remove(name)
                }
            }
            // Before a spare is written to, its old name has to be gone for good.
            try disk.syncDirectory()
        } catch {
            throw fail(error)
        }
        for spare in freed { spares.add(spare) }
        if !spares.names.isEmpty { isLowOnSpace = false }
        sealedBytes -= sealed[..<count].reduce(0) { $0 + $1.usedBytes }
        sealed.removeFirst(count)
        let first = sealed.first?.base ?? segment.base
        if first.index > start.index, let term = terms.term(at: first.index) {
            let newStart = LogPosition(index: first.index, term: term)
            terms.drop(upTo: newStart)
            damaged = damaged.filter { $0.key > first.index }
        }
    }

    /// Whether `setSpareAside` has something to do.
    package var wantsSpare: Bool { spares.names.isEmpty }

    /// Sets a segment aside for when the current one is full, so that this costs nothing then. To be called between batches.
    ///
    /// Where there is no space left for one, `isLowOnSpace` says so, until one could be set aside or an old one became free.
    package func setSpareAside() throws(LogError) {
        try requireHealthy()
        guard wantsSpare else { return }
        let name = spares.newName(isRecycled: false)
        do {
            let file = try disk.create(name)
            defer { disk.close(file) }
            try disk.reserve(file, sizeBytes: options.segmentSizeBytes)
            try disk.sync(file)
            try disk.syncDirectory()
        } catch {
            guard error.cause == .noSpace else { throw fail(error) }
            try? disk.remove(name)
            isLowOnSpace = true
            return
        }
        spares.add(name)
        isLowOnSpace = false
    }

    /// Whether the log has grown enough since the last snapshot.
    package func needsSnapshot(_ policy: SnapshotPolicy, appliedUpTo applied: LogIndex) -> Bool {
        let last = snapshot?.position.index ?? .zero
        return policy.isDue(bytesSince: totalBytes - bytesAtSnapshot, entriesSince: applied - last)
    }
}
