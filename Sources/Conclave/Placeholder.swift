public import ConclavePlatform
@inlinable public func probeThreadState() -> UnsafeMutableRawPointer? { conclave_thread_state() }
