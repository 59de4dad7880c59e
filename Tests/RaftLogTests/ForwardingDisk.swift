// A disk in front of another one.

import RaftLog

/// A disk that passes everything on, for tests to override a call of.
class ForwardingDisk: Disk, @unchecked Sendable {
    // SAFETY: `base` is the only field here and immutable; a subclass with fields of its own is used by one thread.
    let base: any Disk
    init(_ base: any Disk) { self.base = base }

    var location: String { base.location }
    func lock() throws(DiskError) -> DiskFile { try base.lock() }
    func list() throws(DiskError) -> [String] { try base.list() }
    func open(_ name: String) throws(DiskError) -> DiskFile { try base.open(name) }
    func create(_ name: String) throws(DiskError) -> DiskFile { try base.create(name) }
    func size(of file: DiskFile) throws(DiskError) -> Int { try base.size(of: file) }
    func read(
        _ file: DiskFile,
        at offset: Int,
        into buffer: UnsafeMutableRawBufferPointer
    ) throws(DiskError) -> Int { try base.read(file, at: offset, into: buffer) }
    func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        try base.write(file, at: offset, bytes)
    }
    func reserve(_ file: DiskFile, sizeBytes: Int) throws(DiskError) {
        try base.reserve(file, sizeBytes: sizeBytes)
    }
    func sync(_ file: DiskFile) throws(DiskError) { try base.sync(file) }
    func close(_ file: DiskFile) { base.close(file) }
    func rename(_ name: String, to newName: String) throws(DiskError) { try base.rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try base.remove(name) }
    func syncDirectory() throws(DiskError) { try base.syncDirectory() }
}
