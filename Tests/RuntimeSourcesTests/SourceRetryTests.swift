// SPDX-License-Identifier: Apache-2.0

import Capture
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import RuntimeSources

@Suite(.blocking) struct SourceRetryTests {
    /// A clock that the test advances.
    private final class Clock: HostClock {
        private let time = Atomic<Int64>(1)

        func wallMicroseconds() -> Int64 { time.load(ordering: .relaxed) }
        func monotonicMicroseconds() -> Int64 { time.load(ordering: .relaxed) }
        func advance(_ microseconds: Int64) {
            time.add(microseconds, ordering: .relaxed)
        }
    }

    @Test("a source that fails is tried again later and later, soon after it has worked for long, and is logged once")
    func retry() throws {
        let folder = TemporaryFolder()
        let clock = Clock()
        let notices = Notices()
        var options = CaptureService.Options(store: folder.path + "/store", inflight: folder.path + "/inflight")
        options.shards = 1
        options.clock = clock
        let diagnostics = Diagnostics(threshold: .error, clock: clock, sink: { notices.add($1) })
        let capture = try CaptureService(options, diagnostics: diagnostics)
        var delays: [Int64] = []
        var attempts = 0
        func wait(_ delay: Int64) -> Bool {
            delays.append(delay)
            // A repeated message is written again after this time.
            clock.advance(3_600_000_000)
            return false
        }
        SourceService.retry("source a", capture, wait: wait) {
            attempts += 1
            if attempts == 5 {
                clock.advance(3_600_000_000)
            }
            if attempts < 8 {
                throw SystemError("listen", "here", code: SystemError.busy)
            }
        }
        #expect(delays == [0, 500_000, 1_000_000, 2_000_000, 4_000_000, 500_000, 1_000_000, 2_000_000])
        #expect(notices.all.filter { $0.hasPrefix("source a: listen here: ") }.count == 1)
        #expect(notices.all.count == 1, "\(notices.all)")
    }
}
