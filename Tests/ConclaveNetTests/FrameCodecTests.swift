import ConclaveNet
import Testing

@Suite("Frames")
struct FrameCodecTests {
    static func encoded(_ payloads: [[UInt8]], codec: FrameCodec = FrameCodec()) -> [UInt8] {
        var buffer = SendBuffer()
        for payload in payloads {
            let added = codec.append(payload, to: &buffer)
            #expect(added)
        }
        return Array(buffer.bytes)
    }

    @Test("a frame is its length, little endian, and its bytes")
    func layout() {
        #expect(Self.encoded([[7, 8, 9]]) == [3, 0, 0, 0, 7, 8, 9])
    }

    @Test("frames are found at every split point")
    func everySplit() throws {
        let payloads: [[UInt8]] = [[1], [2, 3], Array(0..<100), [255]]
        let stream = Self.encoded(payloads)
        let codec = FrameCodec()
        for cut in 0...stream.count {
            var queue = ByteQueue()
            var found: [[UInt8]] = []
            for part in [stream[..<cut], stream[cut...]] {
                queue.append(Array(part))
                try codec.drain(&queue) { found.append(Array($0)) }
            }
            #expect(found == payloads)
            #expect(contents(queue) == [])
        }
    }

    @Test("frames are found whatever pieces the stream arrives in")
    func randomPieces() throws {
        var generator = SeededGenerator(seed: seed(for: "FrameCodecTests"))
        let codec = FrameCodec()
        for _ in 0..<200 {
            let payloads = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
                generator.bytes(Int.random(in: 1...(Bool.random(using: &generator) ? 8 : 3000), using: &generator))
            }
            var stream = Self.encoded(payloads)[...]
            var queue = ByteQueue()
            var found: [[UInt8]] = []
            while !stream.isEmpty {
                let count = Int.random(in: 1...min(stream.count, 5000), using: &generator)
                queue.append(Array(stream.prefix(count)))
                stream.removeFirst(count)
                let limit = Int.random(in: 1...4, using: &generator)
                while try codec.drain(&queue, limit: limit, { found.append(Array($0)) }) == limit {}
            }
            #expect(found == payloads)
        }
    }

    @Test("a length above the bound is refused with its four bytes alone, before memory is taken")
    func tooLong() {
        var queue = ByteQueue()
        queue.append([0x00, 0x00, 0x00, 0x40])
        #expect(refusal(FrameCodec(), &queue) == FrameError.tooLong(sizeBytes: 1 << 30, maximumSizeBytes: 64 << 20))
        let allocated = queue.allocatedBytes
        #expect(allocated <= 4096)
    }

    @Test("memory is taken for bytes that have arrived, not for a length")
    func announcedOnly() throws {
        var queue = ByteQueue()
        queue.append([0x00, 0x00, 0x00, 0x04])
        queue.append([1, 2, 3])
        let frames = try FrameCodec().drain(&queue) { _ in }
        #expect(frames == 0)
        let allocated = queue.allocatedBytes
        #expect(allocated <= 4096)
    }

    @Test("the longest frame passes, one byte more does not")
    func bound() throws {
        let codec = FrameCodec(maximumSizeBytes: 10)
        var queue = ByteQueue()
        queue.append([10, 0, 0, 0] + [UInt8](repeating: 1, count: 10))
        let frames = try codec.drain(&queue) { #expect($0.count == 10) }
        #expect(frames == 1)
        queue.append([11, 0, 0, 0] + [UInt8](repeating: 1, count: 11))
        #expect(refusal(codec, &queue) == FrameError.tooLong(sizeBytes: 11, maximumSizeBytes: 10))
    }

    @Test("zeros are no frames")
    func zeros() {
        var queue = ByteQueue()
        queue.append([0, 0, 0, 0, 0, 0, 0, 0])
        #expect(refusal(FrameCodec(), &queue) == FrameError.empty)
    }

    @Test("frames before a bad one are delivered")
    func goodBeforeBad() {
        var queue = ByteQueue()
        queue.append([1, 0, 0, 0, 42, 0, 0, 0, 0])
        var found: [[UInt8]] = []
        #expect(refusal(FrameCodec(), &queue) { found.append($0) } == .empty)
        #expect(found == [[42]])
    }

    @Test("garbage gives frames within the bound or an error, nothing else")
    func garbage() {
        var generator = SeededGenerator(seed: seed(for: "FrameCodecTests"))
        let codec = FrameCodec(maximumSizeBytes: 1000)
        for _ in 0..<2_000 {
            var queue = ByteQueue()
            var bytes = generator.bytes(Int.random(in: 0...200, using: &generator))
            // Every other time a plausible length, so that the payload path is reached as well.
            if bytes.count > 4, Bool.random(using: &generator) { bytes.replaceSubrange(1..<4, with: [0, 0, 0]) }
            let total = bytes.count
            queue.append(bytes)
            var delivered = 0
            do {
                try codec.drain(&queue) { payload in
                    #expect((1...1000).contains(payload.count))
                    delivered += 4 + payload.count
                }
            } catch {}
            let left = queue.count
            #expect(delivered + left == total)
        }
    }

    @Test("a full send buffer refuses a frame as a whole")
    func sendBound() {
        let codec = FrameCodec()
        var buffer = SendBuffer(limitBytes: 20)
        let answers = [
            codec.append([1, 2, 3, 4, 5, 6], to: &buffer),
            codec.append([1, 2, 3, 4, 5, 6], to: &buffer),
            codec.append([1], to: &buffer),
            buffer.append("x"),
        ]
        #expect(answers == [true, true, false, false])
        let count = buffer.count
        #expect(count == 20)
    }
}

/// Drains all frames and returns what ended it.
private func refusal(
    _ codec: FrameCodec,
    _ queue: inout ByteQueue,
    _ found: ([UInt8]) -> Void = { _ in }
) -> FrameError? {
    do {
        try codec.drain(&queue) { found(Array($0)) }
        return nil
    } catch {
        return error
    }
}
