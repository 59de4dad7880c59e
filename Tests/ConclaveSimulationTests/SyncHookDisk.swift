// A disk in front of another one, whose syncs are the test's.

import RaftLog

/// A disk that passes everything on but the syncs of its files: of those `onSync` makes what it will.
final class SyncHookDisk: Disk {
    private let disk: any Disk
    private let onSync: @Sendable (any Disk, DiskFile) throws(DiskError) -> Void

    init(_ disk: any Disk, onSync: @escaping @Sendable (any Disk, DiskFile) throws(DiskError) -> Void) {
        self.disk = disk
        self.onSync = onSync
    }

    func sync(_ file: DiskFile) throws(DiskError) { try onSync(disk, file) }

    var location: String { disk.location }
    func lock() throws(DiskError) -> DiskFile { try disk.lock() }
    func list() throws(DiskError) -> [String] { try disk.list() }
    func open(_ name: String) throws(DiskError) -> DiskFile { try disk.open(name) }
    func create(_ name: String) throws(DiskError) -> DiskFile { try disk.create(name) }
    func size(of file: DiskFile) throws(DiskError) -> Int { try disk.size(of: file) }
    func read(_ file: DiskFile, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int {
        try disk.read(file, at: offset, into: buffer)
    }
    func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError) {
        try disk.write(file, at: offset, bytes)
    }
    func reserve(_ file: DiskFile, sizeBytes: Int) throws(DiskError) {
        try disk.reserve(file, sizeBytes: sizeBytes)
    }
    func close(_ file: DiskFile) { disk.close(file) }
    func rename(_ name: String, to newName: String) throws(DiskError) { try disk.rename(name, to: newName) }
    func remove(_ name: String) throws(DiskError) { try disk.remove(name) }
    func syncDirectory() throws(DiskError) { try disk.syncDirectory() }
}
