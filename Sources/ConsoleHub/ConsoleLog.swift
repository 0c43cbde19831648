// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import LogModel
import SystemIO

/// Writes a console's output to the store. Lives on the console's shard.
///
/// When the runtime folder has no room, opening is retried each second; output until then is read, counted, and
/// recorded as a gap once there is room. A stream that is captured another way is not retried: its bytes go to the
/// watchers only, and nothing is missing.
final class ConsoleLog {
    private let definition: ConsoleHub.Definition
    private let capture: CaptureService
    private let shard: Shard
    private var intake: StreamIntake?
    private var retry: EventLoop.TimerToken?
    /// Bytes that could not be stored since the console began, while there is no intake.
    private var unstored: (bytes: Int, lines: Int, since: Int64)?
    /// Boundaries seen by the transport meanwhile.
    private var boundaries: [ConsoleBoundary] = []
    private var isCapturedElsewhere = false

    /// The interval between retries, in microseconds.
    private static let retryInterval: Int64 = 1_000_000
    /// Boundaries kept while there is no intake; later ones replace earlier ones.
    private static let boundaryLimit = 8

    init(_ definition: ConsoleHub.Definition, capture: CaptureService, shard: Shard) {
        self.definition = definition
        self.capture = capture
        self.shard = shard
    }

    /// Whether this console stores the stream now.
    var isStored: Bool { intake != nil }

    private var subject: String { definition.key.description }

    /// Opens the stream, or begins to retry.
    func open() {
        let options = StreamOptions(
            rate: definition.rate,
            plainFile: definition.plainFile,
            mayReplay: definition.endpoint.mayReplay
        )
        do throws(CaptureService.OpenError) {
            let intake = try capture.open(definition.key, options: options, on: shard)
            self.intake = intake
            if capture.problems.clear(Problems.Subject(definition.key)) {
                capture.diagnostics.log(.notice, "console \(subject): is stored from now on")
            }
            recordEarlier(in: intake)
        } catch {
            refused(error)
        }
    }

    private func refused(_ error: CaptureService.OpenError) {
        if error.isTransient {
            if capture.problems.raise(
                Problems.Subject(definition.key),
                "not stored: \(error); output is counted as lost"
            ) {
                capture.diagnostics.log(
                    .error,
                    "console \(subject): cannot be stored, bytes are counted as lost: \(error)"
                )
            }
            retry = shard.loop.schedule(afterMicroseconds: Self.retryInterval) { [weak self] in
                self?.retry = nil
                self?.open()
            }
        } else {
            isCapturedElsewhere = true
            capture.diagnostics.log(.warning, "console \(subject): \(error)")
        }
    }

    /// Records what happened before there was an intake.
    private func recordEarlier(in intake: StreamIntake) {
        if let unstored {
            intake.countLoss(bytes: unstored.bytes, lines: unstored.lines, since: unstored.since, reason: .noRoom)
        }
        unstored = nil
        boundaries.forEach { intake.mark($0) }
        boundaries.removeAll()
    }

    /// Reads once from `descriptor`, which must not block, whether the bytes can be stored or not.
    func receive(from descriptor: Int32) -> StreamIntake.Received {
        if let intake {
            return intake.receive(from: descriptor)
        }
        let received = shard.receiveUnstored(from: descriptor)
        if case .bytes(let bytes) = received {
            put(bytes)
        }
        return received
    }

    /// Stores bytes that were read elsewhere, or counts them.
    func put(_ bytes: UnsafeRawBufferPointer) {
        if let intake {
            intake.put(bytes)
        } else if !isCapturedElsewhere {
            count(
                bytes: bytes.count,
                lines: gl_count_byte(bytes.baseAddress, bytes.count, Lines.feed),
                since: capture.clock.wallMicroseconds()
            )
        }
    }

    private func count(bytes: Int, lines: Int, since: Int64) {
        let before = unstored ?? (0, 0, since)
        unstored = (before.bytes + bytes, before.lines + lines, min(before.since, since))
    }

    /// Records a boundary (`StreamIntake.mark`).
    func mark(_ boundary: ConsoleBoundary, since: Int64? = nil) {
        if let intake {
            intake.mark(boundary, since: since)
        } else if !isCapturedElsewhere {
            boundaries = boundaries.suffix(Self.boundaryLimit - 1) + [boundary]
        }
    }

    /// Counts bytes that another process read and discarded since `since`, in microseconds since the Unix epoch.
    func countLoss(bytes: Int, lines: Int, since: Int64) {
        if let intake {
            intake.countLoss(bytes: bytes, lines: lines, since: since, reason: .daemonAway)
        } else if !isCapturedElsewhere {
            count(bytes: bytes, lines: lines, since: since)
        }
    }

    func close() {
        if let retry {
            shard.loop.cancel(retry)
            capture.problems.clear(Problems.Subject(definition.key))
        }
        retry = nil
        intake?.close()
        intake = nil
    }
}
