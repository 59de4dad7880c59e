// What a frame costs to send and to find again, handed out in place or as an array of its own. Run by hand:
//
//     CONCLAVE_BENCH=1 swift test -c release -Xswiftc -enable-testing --filter FrameBenchmark

import ConclaveNet
import Foundation
import Testing

private let isEnabled = ProcessInfo.processInfo.environment["CONCLAVE_BENCH"] != nil

@Suite("Frame benchmark", .serialized)
struct FrameBenchmark {
    @Test("frames in place and copied", .enabled(if: isEnabled), arguments: [300, 4_000, 1_000_000])
    func frames(size: Int) throws {
        let total = 2_000_000_000
        let perRead = max(1, 64 * 1024 / size)
        for kept in [false, true, false, true] {
            let codec = FrameCodec()
            let payload = [UInt8](repeating: 1, count: size)
            var buffer = SendBuffer()
            var queue = ByteQueue()
            var sum = 0
            var last: [UInt8] = []
            let clock = ContinuousClock()
            let start = clock.now
            var frames = 0
            while frames * size < total {
                for _ in 0..<perRead { _ = codec.append(payload, to: &buffer) }
                queue.append(buffer.bytes)
                buffer.removeAll()
                frames += try codec.drain(&queue) { frame in
                    if kept { last = Array(frame) }
                    sum += Int(frame[0])
                }
            }
            let nanoseconds = (clock.now - start) / .nanoseconds(1) / Double(frames)
            #expect(sum == frames && last.count == (kept ? size : 0))
            print("\(size) bytes, \(kept ? "copied" : "in place"): \(Int(nanoseconds)) ns a frame")
        }
    }
}
