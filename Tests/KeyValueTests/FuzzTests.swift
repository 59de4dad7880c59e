import KeyValue
import Testing

/// Damaged input must lead to commands or to a typed error; never to a crash, and the same however it is cut.
@Suite("Damaged bytes")
struct FuzzTests {
    private static func command(_ random: inout Seeded) -> [[UInt8]] {
        (0...random.below(6)).map { _ in random.bytes(upTo: 40) }
    }

    private static func reply(_ random: inout Seeded, depth: Int = 0) -> Reply {
        func list(_ random: inout Seeded) -> [Reply] {
            (0..<random.below(4)).map { _ in reply(&random, depth: depth + 1) }
        }
        switch random.below(depth < 4 ? 12 : 8) {
        case 0: return .simple("word \(random.below(1_000))")
        case 1: return .error("ERR", "text \(random.below(1_000))")
        case 2: return .integer(Int64(truncatingIfNeeded: random.next()))
        case 3: return .null
        case 4: return .boolean(random.below(2) == 0)
        case 5: return .double(Double(random.below(1_000)) / 8)
        case 6: return .verbatim(format: "txt", text: random.bytes(upTo: 40)[...])
        case 8: return .array(list(&random))
        case 9: return .set(list(&random))
        case 10: return .push(list(&random))
        case 11: return .map(list(&random).map { Reply.Pair($0, reply(&random, depth: depth + 1)) })
        default: return .bulk(random.bytes(upTo: 40)[...])
        }
    }

    @Test("commands that were written are read back, in whatever pieces they come")
    func commandRoundTrip() throws {
        try Seeded.run("commandRoundTrip") { (random: inout Seeded) throws in
            for _ in 0..<500 {
                let commands = (0..<random.below(8)).map { _ in Self.command(&random) }
                var writer = RESPWriter()
                for command in commands { writer.write(command: command) }
                var parser = RESPParser()
                var read: [[[UInt8]]] = []
                for piece in random.pieces(of: writer.bytes) {
                    parser.append(piece)
                    while let request = try parser.next() { read.append(request.arguments) }
                }
                #expect(read == commands)
            }
        }
    }

    @Test("replies that were written in RESP3 are read back, in whatever pieces they come")
    func replyRoundTrip() throws {
        try Seeded.run("replyRoundTrip") { (random: inout Seeded) throws in
            for _ in 0..<500 {
                let replies = (0..<random.below(8)).map { _ in Self.reply(&random) }
                var writer = RESPWriter(version: .three)
                for reply in replies { writer.write(reply) }
                var parser = RESPReplyParser()
                var read: [Reply] = []
                for piece in random.pieces(of: writer.bytes) {
                    parser.append(piece)
                    while let reply = try parser.next() { read.append(reply) }
                }
                #expect(read == replies)
            }
        }
    }

    @Test("damaged commands are read alike in one piece and in many")
    func damagedCommands() {
        Seeded.run("damagedCommands") { random in
            for _ in 0..<5_000 {
                var writer = RESPWriter()
                for _ in 0...random.below(4) { writer.write(command: Self.command(&random)) }
                var bytes = writer.bytes
                random.mutate(&bytes)
                let whole = Conversation([bytes])
                #expect(Conversation(random.pieces(of: bytes)) == whole, "\(bytes)")
                var connection = ConnectionState(id: 1, address: "", localAddress: "")
                for command in whole.commands { _ = connection.handle(RESPRequest(command.map { Array($0.utf8) })) }
            }
        }
    }

    @Test("damaged replies are read alike in one piece and in many, and can be shown")
    func damagedReplies() {
        Seeded.run("damagedReplies") { random in
            func outcome(_ pieces: [[UInt8]]) -> (replies: [Reply], failure: RESPError?) {
                var parser = RESPReplyParser()
                var replies: [Reply] = []
                do throws(RESPError) {
                    for piece in pieces {
                        parser.append(piece)
                        while let reply = try parser.next() { replies.append(reply) }
                    }
                    return (replies, nil)
                } catch {
                    return (replies, error)
                }
            }
            for _ in 0..<5_000 {
                var writer = RESPWriter(version: random.below(2) == 0 ? .two : .three)
                for _ in 0...random.below(4) { writer.write(Self.reply(&random)) }
                var bytes = writer.bytes
                random.mutate(&bytes)
                let whole = outcome([bytes])
                let cut = outcome(random.pieces(of: bytes))
                // Shown, since a damaged double may be nan, which equals nothing.
                #expect(cut.replies.map(\.text) == whole.replies.map(\.text), "\(bytes)")
                #expect(cut.failure == whole.failure, "\(bytes)")
            }
        }
    }

    @Test("a damaged batch is refused and changes nothing, or is a valid batch")
    func damagedBatches() {
        Seeded.run("damagedBatches") { random in
            for _ in 0..<10_000 {
                var bytes = WriteBatch((0..<random.below(6)).map { _ in random.write() }).bytes
                random.mutate(&bytes)
                var store = KeyValueStore()
                if let replies = try? store.apply(batch: bytes[...], wantsReplies: true) {
                    #expect(replies.count == (try? WriteBatchReader.all(bytes[...]))?.count)
                } else {
                    #expect(store.count == 0)
                    #expect(throws: WriteBatchError.self) { try WriteBatchReader.all(bytes[...]) }
                }
            }
        }
    }

    @Test("bytes at random do not crash any parser")
    func noise() {
        Seeded.run("noise") { random in
            for _ in 0..<5_000 {
                let bytes = random.bytes(upTo: 200)
                #expect(Conversation(bytes.map { [$0] }) == Conversation([bytes]))
                var parser = RESPReplyParser()
                parser.append(bytes)
                while (try? parser.next()) != nil {}
                _ = try? WriteBatchReader.all(bytes[...])
            }
        }
    }
}
