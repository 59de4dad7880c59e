// A disk in memory that remembers what a power cut would leave of it.

import Synchronization

/// A `Disk` that keeps apart what is durable and what is merely written, for tests and for the simulator.
///
/// `crash` picks one of the states a power cut may leave; `kill` is the end of the process alone, after which everything
/// written is still visible though not durable. Space set aside and never written costs no memory.
package final class MemoryDisk: Disk {
    /// Which 512-byte sectors reach the disk is up to the crash; one sector is old or new, never a mixture.
    package static let sectorSizeBytes = 512

    /// Decides whether an operation fails: gets the operation, the file's name and how many operations came before.
    package typealias FaultRule = @Sendable (DiskError.Operation, String, Int) -> DiskError.Cause?

    package let location: String
    private let state: Mutex<MemoryDiskState>

    /// - Parameter location: stands for the directory in messages.
    package init(location: String = "memory") {
        self.location = location
        state = Mutex(MemoryDiskState())
    }

    private init(copying state: MemoryDiskState, location: String) {
        self.location = location
        self.state = Mutex(state)
    }

    package func lock() throws(DiskError) -> DiskFile {
        try perform(.lock, "LOCK") { (state) throws(DiskError.Cause) in
            guard state.lockHolder == nil else { throw .lockHeld(by: nil) }
            let file = state.makeHandle(inode: nil, name: "LOCK")
            state.lockHolder = file
            return file
        }
    }

    package func list() throws(DiskError) -> [String] {
        try perform(.list, "") { $0.names.keys.sorted() }
    }

    package func open(_ name: String) throws(DiskError) -> DiskFile {
        try perform(.open, name) { (state) throws(DiskError.Cause) in
            guard let inode = state.names[name] else { throw .notFound }
            return state.makeHandle(inode: inode, name: name)
        }
    }

    package func create(_ name: String) throws(DiskError) -> DiskFile {
        try perform(.create, name) { (state) throws(DiskError.Cause) in
            if let inode = state.names[name] {
                state.inodes[inode]?.resize(to: 0)
                return state.makeHandle(inode: inode, name: name)
            }
            let inode = state.nextInode
            state.nextInode += 1
            state.inodes[inode] = MemoryInode()
            state.changeNames(.link(name, inode))
            return state.makeHandle(inode: inode, name: name)
        }
    }

    package func size(of file: DiskFile) throws(DiskError) -> Int {
        try onInode(.size, file) { $0.current.sizeBytes }
    }

    package func read(
        _ file: DiskFile,
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) -> Int {
        try onInode(.read, file) { $0.current.read(at: offset, into: buffer) }
    }

    package func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        try onInode(.write, file) { $0.write(at: offset, bytes) }
    }

    package func reserve(_ file: DiskFile, sizeBytes: Int) throws(DiskError) {
        try onInode(.reserve, file) { if sizeBytes > $0.current.sizeBytes { $0.resize(to: sizeBytes) } }
    }

    package func sync(_ file: DiskFile) throws(DiskError) {
        // As on Linux: the pages of a failed sync count as clean, and later syncs pass them over.
        try onInode(.sync, file, whenRefused: { $0.unsynced = [] }, { $0.apply { true } })
    }

    package func close(_ file: DiskFile) {
        state.withLock { state in
            state.handles[file.number] = nil
            if state.lockHolder == file { state.lockHolder = nil }
        }
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        try perform(.rename, name) { (state) throws(DiskError.Cause) in
            guard let inode = state.names[name] else { throw .notFound }
            state.changeNames(.rename(name, newName, inode))
        }
    }

    package func remove(_ name: String) throws(DiskError) {
        try perform(.remove, name) { (state) throws(DiskError.Cause) in
            guard state.names[name] != nil else { throw .notFound }
            state.changeNames(.unlink(name))
        }
    }

    package func syncDirectory() throws(DiskError) {
        try perform(.syncDirectory, "") { $0.applyNames { true } }
    }
}

// MARK: Ends, faults and damage

extension MemoryDisk {
    /// Takes the power away once so many operations in all were carried out: every later one fails and does nothing.
    /// `crash` then decides what is left; it and `kill` give the power back.
    package func cutPower(atOperation count: Int) { state.withLock { $0.powerCutAt = count } }

    /// Cuts the power. Of what was not synced, `keep` decides unit by unit (a sector of a write, a change of length, a
    /// change of name), counted from zero in a fixed order; it returns false for what never reached the disk.
    package func crash(keeping keep: (Int) -> Bool) {
        state.withLock { state in
            var unit = 0
            let counted = { () -> Bool in
                defer { unit += 1 }
                return keep(unit)
            }
            state.applyNames(counted)
            for number in state.inodes.keys.sorted() { state.inodes[number]?.apply(counted) }
            state.restart()
        }
    }

    /// Ends the process only: what it wrote is still there, and still not durable.
    package func kill() {
        state.withLock { state in
            state.handles = [:]
            state.lockHolder = nil
            state.powerCutAt = nil
        }
    }

    /// How many units `crash` would ask about.
    package var unsyncedUnitCount: Int {
        state.withLock { state in
            state.unsyncedNames.count + state.inodes.values.reduce(0) { $0 + $1.unsyncedUnitCount }
        }
    }

    /// How many operations were asked for so far, closes left out.
    package var operationCount: Int { state.withLock { $0.operationCount } }

    /// Installs the rule that makes operations fail; nil lets all succeed.
    package func setFaults(_ rule: FaultRule?) { state.withLock { $0.faults = rule } }

    /// A disk of its own in the same state, without open files and faults.
    package func copy() -> MemoryDisk {
        var copied = state.withLock { $0 }
        copied.handles = [:]
        copied.lockHolder = nil
        copied.faults = nil
        return MemoryDisk(copying: copied, location: location)
    }

    /// The file's bytes as a reader sees them, without the zeros at the end that were never written.
    package func contents(of name: String) -> [UInt8]? {
        state.withLock { state in state.names[name].flatMap { state.inodes[$0]?.current.bytes } }
    }

    /// Puts a file there, durably, in place of any of that name: damage and garbage for tests.
    package func install(_ name: String, _ bytes: [UInt8], sizeBytes: Int? = nil) {
        state.withLock { state in
            let content = MemoryContent(bytes: bytes, sizeBytes: max(sizeBytes ?? 0, bytes.count))
            state.inodes[state.nextInode] = MemoryInode(durable: content, current: content)
            state.names[name] = state.nextInode
            state.durableNames[name] = state.nextInode
            state.nextInode += 1
        }
    }

    /// Flips one bit of a file, in what is seen and, if the file is as long there, in what is durable.
    package func flipBit(of name: String, byte: Int, bit: Int) {
        state.withLock { state in
            guard let inode = state.names[name] else { preconditionFailure("no file \(name)") }
            state.inodes[inode]?.current.flipBit(byte: byte, bit: bit)
            if let durable = state.inodes[inode]?.durable, byte < durable.sizeBytes {
                state.inodes[inode]?.durable.flipBit(byte: byte, bit: bit)
            }
        }
    }
}

extension MemoryDisk {
    /// Puts bytes into a file, in what is seen and in what is durable.
    func overwrite(_ name: String, at offset: Int, _ bytes: [UInt8]) {
        state.withLock { state in
            guard let inode = state.names[name] else { preconditionFailure("no file \(name)") }
            bytes.withUnsafeBytes {
                state.inodes[inode]?.current.write(at: offset, $0)
                state.inodes[inode]?.durable.write(at: offset, $0)
            }
        }
    }
}

// MARK: Carrying out

extension MemoryDisk {
    private func perform<Result: Sendable>(
        _ operation: DiskError.Operation,
        _ name: String,
        whenRefused: (inout MemoryDiskState) -> Void = { _ in },
        _ body: (inout MemoryDiskState) throws(DiskError.Cause) -> Result
    ) throws(DiskError) -> Result {
        do throws(DiskError.Cause) {
            return try state.withLock { (state) throws(DiskError.Cause) in
                let count = state.operationCount
                if count >= state.powerCutAt ?? .max { throw .system(code: 5, message: "the power is off") }
                state.operationCount += 1
                if let cause = state.faults?(operation, name, count) {
                    whenRefused(&state)
                    throw cause
                }
                return try body(&state)
            }
        } catch {
            throw DiskError(operation, path: name.isEmpty ? location : "\(location)/\(name)", cause: error)
        }
    }

    private func onInode<Result: Sendable>(
        _ operation: DiskError.Operation,
        _ file: DiskFile,
        whenRefused: (inout MemoryInode) -> Void = { _ in },
        _ body: (inout MemoryInode) -> Result
    ) throws(DiskError) -> Result {
        try perform(
            operation,
            file.name,
            whenRefused: { _ = try? $0.onInode(of: file, whenRefused) },
            { (state) throws(DiskError.Cause) in try state.onInode(of: file, body) }
        )
    }
}
