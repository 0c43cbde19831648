// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import Testing

@testable import Capture

/// When the writer pauses, opens and seals.
@Suite struct PacingTests {
    @Test("the writer pauses between the turns of a busy stream, and not after the answers that somebody waits for")
    func pauses() {
        var pause = TurnPause()
        #expect(pause.pause(after: 80, at: 0) == nil && pause.pause(after: 80, at: 100) == nil)
        #expect(pause.pause(after: 4096, at: 200) == nil, "it was quiet before")
        #expect(pause.pause(after: 4096, at: 900) == TurnPause.length)
        #expect(pause.pause(after: TurnPause.mostBytes, at: 1500) == nil, "there is nothing to gain")
        #expect(pause.pause(after: 4096, at: 1600) == TurnPause.length)
        #expect(pause.pause(after: 4096, at: 1600 + TurnPause.interval + 1) == nil, "it was quiet again")
    }

    private final class Opener: SinkOpening {
        var wallNow: Int64 = 0
        var isDiskFull = false
        func open(_ key: StreamKey, _ properties: StreamProperties) throws(SystemError) -> OpenedSink {
            throw SystemError("open", code: SystemError.inputOutput)
        }
        func failed(_ key: StreamKey, _ error: SystemError, consequence: String) {}
        func recovered(_ key: StreamKey) {}
        func plainFileFailed(_ path: String, _ error: SystemError) {}
        func plainFileRecovered(_ path: String) {}
        func replayed(_ key: StreamKey, bytes: Int) {}
        func openLater(_ sink: StreamSink) {}
        func closeLater(_ descriptor: Int32) {}
    }

    @Test("files of silent streams are created a few at a time, and one at a time while others speak")
    func defers() {
        let opener = Opener()
        let sinks = (0..<20).map { number in
            StreamSink(
                key: StreamKey(vm: VMIdentity(name: "vm\(number)"), stream: .console0),
                options: StreamOptions(),
                opener: opener
            )
        }
        var deferred = DeferredOpenings()
        for sink in sinks + sinks { deferred.add(sink) }
        let most = DeferredOpenings.perIdleTurn
        #expect(deferred.take(at: 1_000_000, isBusy: false, all: false).map(\.key) == sinks[..<most].map(\.key))
        #expect(deferred.take(at: 1_000_001, isBusy: true, all: false).isEmpty)
        let late = deferred.take(at: 1_000_000 + DeferredOpenings.interval, isBusy: true, all: false)
        #expect(late.map(\.key) == [sinks[most].key])
        #expect(deferred.remove(sinks[most + 1]) && !deferred.remove(sinks[most + 1]))
        #expect(deferred.take(at: 1_100_000, isBusy: true, all: true).count == sinks.count - most - 2)
        #expect(deferred.isEmpty)
    }
}
