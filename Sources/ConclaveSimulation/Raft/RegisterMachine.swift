// What the simulated cluster replicates: registers by key, the same object that its clients' history is judged by.

internal import ConclaveRaft
internal import RaftCore

/// Registers, and a report of every command applied.
struct RegisterMachine: StateMachine {
    struct UnknownCommand: Error {}

    private var registers: [String: String] = [:]
    private var place = 0
    private let onApply: @Sendable (ArraySlice<UInt8>, Int) -> Void

    /// - Parameter onApply: hears each command and its place, counted from 0.
    init(onApply: @escaping @Sendable (ArraySlice<UInt8>, Int) -> Void) { self.onApply = onApply }

    static func command(_ call: RegisterModel.Call, key: String) -> [UInt8] {
        Array("\(key)\n\(RegisterModel.text(of: call))".utf8)
    }

    /// The value that a command writes if it takes effect, and its key.
    static func written(by command: ArraySlice<UInt8>) -> (key: String, value: String)? {
        let lines = String(decoding: command, as: UTF8.self).split(separator: "\n", maxSplits: 1)
        guard lines.count == 2 else { return nil }
        switch RegisterModel.call(from: String(lines[1])) {
        case .write(let value), .compareAndSet(_, let value): return (String(lines[0]), value)
        default: return nil
        }
    }

    mutating func apply(_ command: ArraySlice<UInt8>, wantsResponse: Bool) throws -> RegisterModel.Answer {
        let lines = String(decoding: command, as: UTF8.self).split(separator: "\n", maxSplits: 1)
        guard lines.count == 2, let call = RegisterModel.call(from: String(lines[1])) else { throw UnknownCommand() }
        onApply(command, place)
        place += 1
        var state = registers[String(lines[0])]
        let answer = RegisterModel().apply(call, to: &state)
        registers[String(lines[0])] = state
        return answer
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
