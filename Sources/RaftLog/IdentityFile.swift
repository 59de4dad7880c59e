// The file that says whose directory this is, apart from the log itself.

import RaftCore

/// A few readable lines, written once when the log is created (raft-rules P28).
///
/// It outlives the segments: where it is there and the log is not, the log was lost, and an empty one must not take its place.
/// Where it is damaged or missing beside an intact log, it is written anew from the segments' headers.
enum IdentityFile {
    static let name = "IDENTITY"
    private static let temporaryName = "IDENTITY.tmp"
    /// No such file is longer.
    private static let maximumSizeBytes = 512

    /// The identity in the file; nil when there is no such file. A damaged one throws nothing but gives `damaged`.
    enum Found: Hashable {
        case none
        case damaged
        case identity(LogIdentity)
    }

    static func read(_ disk: any Disk, among names: [String]) throws(DiskError) -> Found {
        guard names.contains(name) else { return .none }
        let file = try disk.open(name)
        defer { disk.close(file) }
        let storage = RawStorage(capacity: maximumSizeBytes)
        let count = try disk.read(file, at: 0, into: storage.bytes)
        let text = String(decoding: UnsafeRawBufferPointer(storage.bytes).part(0, count), as: UTF8.self)
        return decode(text).map(Found.identity) ?? .damaged
    }

    /// Puts it there, durably.
    static func write(_ identity: LogIdentity, _ disk: any Disk) throws(DiskError) {
        let file = try disk.create(temporaryName)
        do throws(DiskError) {
            let bytes = Array(encode(identity).utf8)
            let storage = RawStorage(zeros: bytes.count)
            storage.bytes.copyBytes(from: bytes)
            try disk.write(file, at: 0, UnsafeRawBufferPointer(storage.bytes))
            try disk.sync(file)
        } catch {
            disk.close(file)
            throw error
        }
        disk.close(file)
        try disk.rename(temporaryName, to: name)
        try disk.syncDirectory()
    }

    static func encode(_ identity: LogIdentity) -> String {
        let text = """
            conclave server data, format 1
            cluster \(identity.cluster)
            node \(identity.node.rawValue)
            incarnation \(hexadecimal(identity.incarnation))

            """
        return text + "checksum \(checksum(text))\n"
    }

    static func decode(_ text: String) -> LogIdentity? {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        guard lines.count == 6, lines[5].isEmpty, lines[0] == "conclave server data, format 1" else { return nil }
        func value(_ line: Int, _ key: String) -> Substring? {
            lines[line].hasPrefix(key + " ") ? lines[line].dropFirst(key.count + 1) : nil
        }
        guard let cluster = value(1, "cluster"), cluster.utf8.count == 32,
            let high = UInt64(cluster.prefix(16), radix: 16), let low = UInt64(cluster.suffix(16), radix: 16),
            let node = value(2, "node").flatMap({ UInt64($0) }),
            let incarnation = value(3, "incarnation").flatMap({ UInt64($0, radix: 16) })
        else { return nil }
        let identity = LogIdentity(
            cluster: ClusterID(high: high, low: low),
            node: NodeID(node),
            incarnation: incarnation
        )
        return encode(identity) == text ? identity : nil
    }

    private static func checksum(_ text: String) -> String {
        hexadecimal(UInt64(Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }))
    }
}
