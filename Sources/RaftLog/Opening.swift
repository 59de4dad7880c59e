// From a directory to a log that can be appended to.

import RaftCore

extension WriteAheadLog {
    /// Opens the log on this disk, recovering what is there, or creates it.
    ///
    /// - Parameter identity: whose data this must be. The incarnation is used for a new log only; an existing one keeps
    ///   its own, see `Recovered.identity`.
    /// - Throws: `LogError`; nothing has been changed then, unless the error is `.io`.
    package static func open(
        disk: any Disk,
        identity: LogIdentity,
        ifMissing: IfMissing,
        ifDamaged: IfDamaged = .refuse,
        options: Options = Options()
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        let lockFile = try lock(disk)
        do throws(LogError) {
            let names = try io { () throws(DiskError) in try disk.list() }
            let known = try io { () throws(DiskError) in try IdentityFile.read(disk, among: names) }
            let ids = names.compactMap(SegmentHeader.id(fromFileName:)).sorted()
            if ids.isEmpty {
                if case .identity(let lost) = known { throw .lost(location: disk.location, identity: lost) }
                guard ifMissing == .create else { throw .missing(location: disk.location) }
                return try create(disk, lockFile, identity, options)
            }
            let opening = Opening(
                disk: disk,
                lockFile: lockFile,
                expected: identity,
                ifDamaged: ifDamaged,
                options: options,
                names: names,
                ids: ids,
                known: known
            )
            return try opening.run()
        } catch {
            disk.close(lockFile)
            throw error
        }
    }

    /// Whose log is on this disk; nil when there is none. Takes no lock and reads one page.
    package static func identity(on disk: any Disk) throws(LogError) -> LogIdentity? {
        let names = try io { () throws(DiskError) in try disk.list() }
        let known = try io { () throws(DiskError) in try IdentityFile.read(disk, among: names) }
        if case .identity(let identity) = known { return identity }
        guard let id = names.compactMap(SegmentHeader.id(fromFileName:)).min() else { return nil }
        let name = SegmentHeader.fileName(id)
        let file = try io { () throws(DiskError) in try disk.open(name) }
        defer { disk.close(file) }
        let page = RawStorage(capacity: SegmentHeader.batchesOffset)
        let count = try io { () throws(DiskError) in try disk.read(file, at: 0, into: page.bytes) }
        switch SegmentHeader.decode(UnsafeRawBufferPointer(page.bytes).part(0, count)) {
        case .header(let header, _):
            return header.identity
        case .unknownVersion(let version):
            throw .unknownVersion(
                file: "\(disk.location)/\(name)",
                found: version,
                supported: SegmentHeader.formatVersion
            )
        case .damaged:
            throw .corrupt(Corruption(kind: .segmentHeader, location: disk.location, file: name, offset: 0))
        }
    }

    private static func lock(_ disk: any Disk) throws(LogError) -> DiskFile {
        do {
            return try disk.lock()
        } catch {
            if case .lockHeld(let pid) = error.cause { throw .alreadyInUse(location: disk.location, processID: pid) }
            throw .io(error)
        }
    }

    /// The identity is written last: a crash before it leaves an empty log, which the next opening completes.
    private static func create(
        _ disk: any Disk,
        _ lockFile: DiskFile,
        _ identity: LogIdentity,
        _ options: Options
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        let header = SegmentHeader(
            id: 1,
            identity: identity,
            firstSequence: Replay().nextSequence,
            previousChecksum: 0,
            previousBase: .zero,
            base: .start,
            hardState: HardState(),
            snapshot: .start
        )
        let segment: ActiveSegment
        do {
            segment = try .create(on: disk, header, sizeBytes: options.segmentSizeBytes)
            try IdentityFile.write(identity, disk)
        } catch {
            throw error.cause == .noSpace ? .diskFull(error) : .io(error)
        }
        let log = WriteAheadLog(
            disk: disk,
            options: options,
            lockFile: lockFile,
            identity: identity,
            segment: segment,
            spares: SpareSegments([])
        )
        return (log, Recovered(identity: identity, hardState: HardState(), entries: []))
    }
}

/// The opening of an existing log, step by step: everything is read and judged before anything is changed.
private struct Opening {
    let disk: any Disk
    let lockFile: DiskFile
    let expected: LogIdentity
    let ifDamaged: WriteAheadLog.IfDamaged
    let options: WriteAheadLog.Options
    let names: [String]
    /// Of the segments, ascending, at least one.
    let ids: [UInt64]
    let known: IdentityFile.Found

    func run() throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        var recovery = Recovery(disk: disk, expected: expected)
        // A crash while old segments were being dropped may leave any of them: those before a hole are left-overs.
        var first = ids.count - 1
        while first > 0, ids[first - 1] + 1 == ids[first] { first -= 1 }
        var tail = try recovery.run(ids[first...])
        do throws(LogError) {
            return try complete(&recovery, &tail, leftOver: ids[..<first])
        } catch {
            disk.close(tail.reader.file)
            throw error
        }
    }

    private func complete(
        _ recovery: inout Recovery,
        _ tail: inout Recovery.Tail,
        leftOver: ArraySlice<UInt64>
    ) throws(LogError) -> (log: WriteAheadLog, recovered: Recovered) {
        let identity = recovery.identity ?? expected
        if case .identity(let named) = known, named != identity {
            let file = IdentityFile.name
            throw .corrupt(Corruption(kind: .mixedIdentities, location: disk.location, file: file, offset: 0))
        }
        let survey = try SnapshotSurvey(disk, names, cluster: identity.cluster, recorded: recovery.replay.snapshot)
        let needsRecord = try reconcile(&recovery, survey, leftOver)
        try judgeDamage(&recovery)

        let torn = try recovery.cutTail(&tail)
        try survey.complete(disk)
        try recovery.makeDurable(&tail)
        let log = WriteAheadLog(
            disk: disk,
            options: options,
            lockFile: lockFile,
            identity: identity,
            segment: ActiveSegment(tail),
            sealed: recovery.sealed,
            spares: try removeStale(survey, leftOver),
            replay: recovery.replay
        )
        log.snapshot = survey.best
        if needsRecord, let snapshot = survey.best { try log.record(snapshot.position, replacingLog: true) }
        if known != .identity(identity) { try io { () throws(DiskError) in try IdentityFile.write(identity, disk) } }

        var recovered = Recovered(
            identity: identity,
            hardState: recovery.replay.hardState,
            start: recovery.replay.start,
            entries: recovery.replay.entries
        )
        recovered.snapshot = survey.best
        recovered.tornTail = torn
        recovered.damaged = log.damagedEntries
        recovered.corruptions = recovery.corruptions
        return (log, recovered)
    }

    /// Brings log and snapshot together (raft-rules P30); true when the log has to begin anew behind the snapshot.
    private func reconcile(
        _ recovery: inout Recovery,
        _ survey: SnapshotSurvey,
        _ leftOver: ArraySlice<UInt64>
    ) throws(LogError) -> Bool {
        let start = recovery.replay.start.index
        guard start <= survey.best?.position.index ?? .zero else {
            if let damaged = survey.damaged { throw damaged }
            if let last = leftOver.last {
                let file = SegmentHeader.fileName(last + 1)
                throw .corrupt(Corruption(kind: .missingSegment, location: disk.location, file: file, offset: 0))
            }
            throw .gap(
                location: disk.location,
                first: start.next,
                snapshot: survey.best?.position.index ?? .zero
            )
        }
        guard let snapshot = survey.best?.position else { return false }
        // A snapshot is of committed entries: a log that does not hold its last one has nothing committed behind it.
        guard recovery.replay.holds(snapshot) else {
            recovery.restart(at: snapshot)
            return true
        }
        recovery.rely(on: snapshot)
        return false
    }

    private func judgeDamage(_ recovery: inout Recovery) throws(LogError) {
        let isNamed = recovery.replay.doubtfulUpTo == .zero
        if isNamed, recovery.replay.damaged.isEmpty || ifDamaged == .quarantine { return }
        guard var corruption = recovery.corruptions.first else {
            preconditionFailure("entries are damaged, and no damage was noted")
        }
        if corruption.damaged.isEmpty {
            corruption.damaged = recovery.replay.damaged.values.sorted { $0.index < $1.index }
        }
        throw .corrupt(corruption)
    }

    /// Removes what crashes left behind; returns the spare segments among it.
    private func removeStale(_ survey: SnapshotSurvey, _ leftOver: ArraySlice<UInt64>) throws(LogError) -> SpareSegments
    {
        var stale = survey.stale + leftOver.map(SegmentHeader.fileName)
        stale += names.filter { ($0.hasPrefix("segment-") || $0.hasPrefix("IDENTITY")) && $0.hasSuffix(".tmp") }
        var kept: [String] = []
        for name in names where SpareSegments.isSpare(name) {
            let size = try io { () throws(DiskError) in
                let file = try disk.open(name)
                defer { disk.close(file) }
                return try disk.size(of: file)
            }
            if size == options.segmentSizeBytes, kept.count < options.spareSegments {
                kept.append(name)
            } else {
                stale.append(name)
            }
        }
        for name in stale { try io { () throws(DiskError) in try disk.remove(name) } }
        return SpareSegments(kept)
    }
}
