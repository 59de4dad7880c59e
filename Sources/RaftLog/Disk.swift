// The narrow door between the log and a disk: one flat directory, whole-range reads and writes, explicit durability.

/// One directory of files, as the log needs it. Production has `PosixDisk`, tests and the simulator `MemoryDisk`.
///
/// What a caller may count on after a crash: bytes written before a `sync` of their file that returned; names created,
/// renamed or removed before a `syncDirectory` that returned. Anything later may be there, partly there (in units of
/// 512 bytes) or missing, in any combination.
///
/// Calls may block; none is retried inside beyond an interrupted system call.
package protocol Disk: AnyObject, Sendable {
    /// Where this is, for messages to a person.
    var location: String { get }

    /// Takes the directory for this opener alone, until the returned handle is closed or the process ends.
    func lock() throws(DiskError) -> DiskFile
    /// The names of all files, sorted.
    func list() throws(DiskError) -> [String]
    /// Opens a file for reading and writing.
    func open(_ name: String) throws(DiskError) -> DiskFile
    /// Creates an empty file and opens it; an existing one of that name is emptied.
    func create(_ name: String) throws(DiskError) -> DiskFile
    /// The file's length in bytes.
    func size(of file: DiskFile) throws(DiskError) -> Int
    /// Fills the buffer from `offset` on; returns how many bytes there were, fewer only at the file's end.
    func read(_ file: DiskFile, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(DiskError) -> Int
    /// Writes all bytes at `offset`, extending the file where needed.
    func write(_ file: DiskFile, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(DiskError)
    /// Extends the file to `sizeBytes`, reading as zeros, with its space set aside so that writing there cannot run out of it.
    func reserve(_ file: DiskFile, sizeBytes: Int) throws(DiskError)
    /// Returns once everything written to the file is on stable storage. After an error its content is unknown.
    func sync(_ file: DiskFile) throws(DiskError)
    /// Gives the handle back. Promises nothing about durability; a handle that is not open is ignored.
    func close(_ file: DiskFile)
    /// Gives a file another name, in place of any file that had it.
    func rename(_ name: String, to newName: String) throws(DiskError)
    /// Removes a name.
    func remove(_ name: String) throws(DiskError)
    /// Returns once all names are on stable storage as they are now.
    func syncDirectory() throws(DiskError)
}

/// An open file of one `Disk`.
package struct DiskFile: Hashable, Sendable {
    /// The disk's own number for it; on `PosixDisk` the descriptor.
    package let number: Int32
    /// The name it was opened under, for messages.
    package let name: String

    package init(number: Int32, name: String) {
        self.number = number
        self.name = name
    }
}

/// What a disk refused to do, and why.
package struct DiskError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call that failed.
    package enum Operation: String, Hashable, Sendable, CaseIterable {
        case createDirectory = "create directory"
        case openDirectory = "open directory"
        case lock, list, open, create
        case size = "read the size of"
        case read, write, reserve, sync, rename, remove
        case syncDirectory = "sync directory"
    }

    /// Why it failed.
    package enum Cause: Hashable, Sendable {
        /// No space, or no quota, is left.
        case noSpace
        /// There is no such file or directory.
        case notFound
        /// Another opener has the directory: its process, where that is known.
        case lockHeld(by: Int32?)
        /// Anything else, with the operating system's number and words.
        case system(code: Int32, message: String)
    }

    package var operation: Operation
    package var path: String
    package var cause: Cause

    package init(_ operation: Operation, path: String, cause: Cause) {
        self.operation = operation
        self.path = path
        self.cause = cause
    }

    package var description: String {
        let reason =
            switch cause {
            case .noSpace: "no space left on the disk"
            case .notFound: "no such file or directory"
            case .lockHeld(let pid?): "in use by process \(pid)"
            case .lockHeld(nil): "in use by another process"
            case .system(let code, let message): "\(message) (errno \(code))"
            }
        return "cannot \(operation.rawValue) \(path): \(reason)"
    }
}
