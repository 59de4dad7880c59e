// The replicated state and the code that may be sent to it.

import ConclaveRaft
import Foundation

/// Which book is with whom: the state that every node has a copy of.
struct Library: Codable, Equatable {
    var readers: [String: String] = [:]
}

/// Code as the payload: a function over the library that can be written down, sent to another machine and run there.
///
/// A closure cannot travel; its name and its arguments can. So each action is registered, by its name, on every node.
protocol Action: Codable, Sendable {
    func callAsFunction(_ library: inout Library) -> String
}

struct Lend: Action {
    let book: String, reader: String

    func callAsFunction(_ library: inout Library) -> String {
        if let other = library.readers[book] { return "\(book) is with \(other)" }
        library.readers[book] = reader
        return "\(reader) has \(book)"
    }
}

struct Return: Action {
    let book: String

    func callAsFunction(_ library: inout Library) -> String {
        library.readers.removeValue(forKey: book).map { "\($0) gave \(book) back" } ?? "nobody had \(book)"
    }
}

/// An agent whose actions are entries of the Raft log.
struct ReplicatedLibrary: StateMachine {
    struct UnknownAction: Error { let name: String }

    static let actions: [String: any Action.Type] = ["lend": Lend.self, "return": Return.self]

    var library = Library()

    /// An action as a command: its name, a space, its arguments.
    static func command(_ action: some Action) throws -> [UInt8] {
        guard let name = actions.first(where: { $0.value == type(of: action) })?.key else {
            throw UnknownAction(name: "\(type(of: action))")
        }
        return Array("\(name) ".utf8) + Array(try JSONEncoder().encode(action))
    }

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> String {
        let words = command.split(separator: UInt8(ascii: " "), maxSplits: 1)
        let name = String(decoding: words[0], as: UTF8.self)
        guard let type = Self.actions[name] else { throw UnknownAction(name: name) }
        return try JSONDecoder().decode(type, from: Data(words[1]))(&library)
    }

    static func encode(_ response: String) -> [UInt8] { Array(response.utf8) }

    static func decode(response: [UInt8]) -> String { String(decoding: response, as: UTF8.self) }

    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        try JSONEncoder().encode(library).withUnsafeBytes(write)
    }

    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        var data = Data()
        try read { data.append(contentsOf: $0) }
        library = try JSONDecoder().decode(Library.self, from: data)
    }

    func answer(_ book: String) -> String { library.readers[book] ?? "nobody" }
}
