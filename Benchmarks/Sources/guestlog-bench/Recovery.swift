// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

/// A daemon with 1,000 streams is killed in the middle of its work; the next one recovers them.
enum Recovery {
    static var rows: [Row] {
        [Row("recovery-1000") { try measure() }]
    }

    private static let streams = 1000
    /// Text of each stream when it is killed: an active pair three quarters full, which is all that recovery looks at.
    private static let rounds = 48
    private static let roundBytes = 4096

    private static func key(_ number: Int) -> StreamKey { StreamKey(name: "vm\(number)") }

    private static func options(_ folder: String) -> CaptureService.Options {
        var options = CaptureService.Options(store: folder + "/store", inflight: "/dev/shm/guestlog-bench-run/inflight")
        options.quota = { _ in Quota(bytes: 1 << 40) }
        return options
    }

    /// Opens all streams on their shards' threads; the intakes must outlive `body`, which is called for each.
    private static func open(_ capture: CaptureService, _ body: @escaping @Sendable (StreamIntake, Int) -> Void) {
        for number in 0..<streams {
            let key = key(number)
            let shard = capture.shard(of: key.vm)
            shard.loop.perform {
                do {
                    body(try capture.open(key, options: StreamOptions(rate: nil), on: shard), number)
                } catch {
                    Machine.fail("\(key.name): \(error)")
                }
            }
        }
    }

    private static func measure() throws -> [Measure] {
        Machine.fileLimit()
        _ = try Machine.freshRuntimeFolder()
        let folder = try Machine.freshFolder("recovery")
        defer { Machine.remove(folder) }
        let victim = try ChildProcess.own(["play", "victim", folder])
        guard victim.wait() == -SIGKILL else {
            throw BenchError("the victim did not die as it should")
        }
        let before = ProcessUsage()
        let start = Machine.now
        let capture = try CaptureService(options(folder), diagnostics: Diagnostics(threshold: .error))
        // A stream is back when it commits the marker of its console's opening.
        let back = Rung()
        let subscriptions = (0..<streams).map { number in
            capture.notifier.subscribe(to: "vm\(number)") { _ in back.rang(number) }
        }
        try capture.start()
        open(capture) { intake, _ in intake.mark(.boot(.powerOn)) }
        Machine.wait("until all streams are back") {
            usleep(1000)
            return back.count == streams
        }
        let seconds = Machine.now - start
        let cpu = ProcessUsage().cpu(of: "gl-") - before.cpu(of: "gl-")
        withExtendedLifetime(subscriptions) {}
        capture.stop()
        return [
            Measure("until all 1,000 are written again", "s", seconds),
            Measure("CPU", "s", cpu),
        ]
    }

    /// The streams that have committed.
    private final class Rung: Sendable {
        private let rung = Mutex<Set<Int>>([])

        var count: Int { rung.withLock { $0.count } }

        func rang(_ number: Int) {
            rung.withLock { _ = $0.insert(number) }
        }
    }

    /// Fills the streams, puts one more piece of each on its way, and dies.
    static func playVictim(folder: String) throws {
        Machine.fileLimit()
        let capture = try CaptureService(options(folder), diagnostics: Diagnostics(threshold: .error))
        try capture.start()
        let intakes = Intakes()
        open(capture) { intake, number in intakes.add(intake, number) }
        let corpus = Corpus.application(bytes: rounds * roundBytes)
        for round in 0..<rounds {
            let piece = Array(corpus[round * roundBytes..<(round + 1) * roundBytes])
            for number in 0..<streams {
                capture.shard(of: key(number).vm).loop.perform { intakes.put(piece, number) }
            }
            if round < rounds - 1 {
                let expected = UInt64((round + 1) * roundBytes)
                Machine.wait("until a round is stored", within: 300) {
                    capture.statistics().values.allSatisfy { $0.stored == expected }
                }
            }
        }
        kill(getpid(), SIGKILL)
    }

    /// The intakes, passed from shard to shard: one runs at a time, and the main thread waits for it.
    private final class Intakes: @unchecked Sendable {
        private var intakes: [Int: StreamIntake] = [:]

        func add(_ intake: StreamIntake, _ number: Int) {
            intakes[number] = intake
        }

        func put(_ piece: [UInt8], _ number: Int) {
            piece.withUnsafeBytes { intakes[number]?.put($0) }
        }
    }
}
