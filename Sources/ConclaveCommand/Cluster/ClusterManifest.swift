import RaftLog

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// What a cluster's directory says of itself, in `cluster.json`: whose data it is.
struct ClusterManifest: Codable, Equatable {
    static let fileName = "cluster.json"
    static let currentFormat = 1

    /// Raised when an older program would misread the directory.
    var formatVersion = Self.currentFormat
    /// 32 hexadecimal digits.
    var clusterID: String
    /// How many servers the cluster was made with.
    var nodes: Int
    /// When it was made, by ISO 8601. For people; nothing depends on it.
    var created: String

    init(clusterID: ClusterID, nodes: Int, created: Date) {
        self.clusterID = clusterID.description
        self.nodes = nodes
        self.created = created.ISO8601Format()
    }

    /// The file's content.
    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return [UInt8](try encoder.encode(self)) + [UInt8(ascii: "\n")]
    }

    /// Reads the file's content and checks that this program can go on with the data.
    /// - Parameter path: Of the directory, for the message.
    /// - Throws: `CommandFailure` with `.dataError`; its message says what to do instead.
    static func accepting(
        _ content: [UInt8],
        nodes: Int,
        path: String
    ) throws(CommandFailure) -> (manifest: ClusterManifest, clusterID: ClusterID) {
        guard let manifest = try? JSONDecoder().decode(Self.self, from: Data(content)),
            let clusterID = ClusterID(hex: manifest.clusterID)
        else {
            throw refusal("\(path)/\(fileName) is damaged or not a manifest of this program; choose another --data DIR")
        }
        guard manifest.formatVersion == currentFormat else {
            throw refusal(
                """
                \(path) has format version \(manifest.formatVersion) and this program reads version \(currentFormat); \
                use the version of conclave that made it, or choose another --data DIR
                """
            )
        }
        guard manifest.nodes == nodes else {
            throw refusal(
                """
                \(path) holds a cluster of \(manifest.nodes) servers, made \(manifest.created); start it with \
                --nodes \(manifest.nodes), or choose another --data DIR for one of \(nodes)
                """
            )
        }
        return (manifest, clusterID)
    }

    private static func refusal(_ message: String) -> CommandFailure {
        CommandFailure(code: .dataError, message: message)
    }
}
