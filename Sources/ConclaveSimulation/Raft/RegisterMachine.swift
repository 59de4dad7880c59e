// What the simulated cluster replicates: registers by key, the same object that its clients' history is judged by.

internal import ConclaveRaft
internal import RaftCore

/// Registers, and a report of every command applied.
struct RegisterMachine: StateMachine {
    struct UnknownCommand: Error {}

    private var registers: [String: String] = [:]
    private var place = 0
    private let onApply: @Sendable (Applied) -> Void

    /// A command that takes effect.
    struct Applied {
        let command: ArraySlice<UInt8>
        let key: String
        let call: RegisterModel.Call
        /// Counted from 0.
        let place: Int
    }

    /// - Parameter onApply: hears of each command.
    init(onApply: @escaping @Sendable (Applied) -> Void) { self.onApply = onApply }

    static func command(_ call: RegisterModel.Call, key: String) -> [UInt8] {
        Array("\(key)\n\(RegisterModel.text(of: call))".utf8)
    }

    /// The key, and the call as text.
    private static func parts(of command: ArraySlice<UInt8>) -> (key: String, call: String)? {
        guard let end = command.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        return (
            String(decoding: command[..<end], as: UTF8.self), String(decoding: command[(end + 1)...], as: UTF8.self)
        )
    }

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> RegisterModel.Answer {
        guard let (key, text) = Self.parts(of: command), let call = RegisterModel.call(from: text) else {
            throw UnknownCommand()
        }
        onApply(Applied(command: command, key: key, call: call, place: place))
        place += 1
        return RegisterModel().apply(call, to: &registers[key])
    }

    static func encode(_ response: RegisterModel.Answer) -> [UInt8] { Array(RegisterModel.text(of: response).utf8) }

    static func decode(response: [UInt8]) throws -> RegisterModel.Answer {
        guard let answer = RegisterModel.answer(from: String(decoding: response, as: UTF8.self)) else {
            throw UnknownCommand()
        }
        return answer
    }

    /// The place, then each key and its value in the order of the keys, a line each.
    func writeSnapshot(_ write: (UnsafeRawBufferPointer) throws -> Void) throws {
        var text = "\(place)\n"
        for (key, value) in registers.sorted(by: { $0.key < $1.key }) { text += "\(key)\n\(value)\n" }
        try Array(text.utf8).withUnsafeBytes(write)
    }

    mutating func restoreSnapshot(_ read: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void) throws {
        var bytes: [UInt8] = []
        try read { bytes += $0 }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        guard let first = lines.first, let place = Int(first), lines.count % 2 == 1 else { throw UnknownCommand() }
        self.place = place
        registers = [:]
        for line in stride(from: 1, to: lines.count, by: 2) { registers[lines[line]] = lines[line + 1] }
    }

    func answer(_ key: String) -> RegisterModel.Answer { .value(registers[key]) }
}
