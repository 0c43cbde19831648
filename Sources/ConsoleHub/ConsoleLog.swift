import Capture
import CLinux
import LogModel
import LogStore
import SystemIO

/// A console's way into the store. Lives on the console's shard.
///
/// Where there is no memory for it, for the runtime folder is full, it is tried again each second; what is said until then
/// is read, counted, and told of as a gap as soon as there is room. A stream that is captured another way is not tried
/// again: its bytes are passed to whoever watches, and nothing of them is missing.
final class ConsoleLog {
    private let definition: ConsoleHub.Definition
    private let capture: CaptureService
    private let shard: Shard
    private var intake: StreamIntake?
    private var retry: EventLoop.TimerToken?
    /// What could not be kept since the console began, while there is no intake.
    private var unstored: (bytes: Int, lines: Int, since: Int64)?
    /// What the transport saw meanwhile.
    private var boundaries: [ConsoleBoundary] = []
    private var isCapturedElsewhere = false

    /// How often it is tried again, in microseconds.
    private static let retryInterval: Int64 = 1_000_000
    /// Boundaries remembered while there is no intake; of more, the last count.
    private static let boundaryLimit = 8

    init(_ definition: ConsoleHub.Definition, capture: CaptureService, shard: Shard) {
        self.definition = definition
        self.capture = capture
        self.shard = shard
    }

    /// Whether the stream is stored by this console now.
    var isStored: Bool { intake != nil }

    private var subject: String { "\(definition.key.name)/\(definition.key.stream)" }

    /// Opens it, or begins to try.
    func open() {
        let options = StreamOptions(rate: definition.rate, plainFile: definition.plainFile)
        do throws(CaptureService.OpenError) {
            let intake = try capture.open(definition.key, options: options, on: shard)
            self.intake = intake
            if capture.problems.clear(subject) {
                capture.diagnostics.log(.notice, "console \(subject): is stored from now on")
            }
            settle(intake)
        } catch {
            refused(error)
        }
    }

    private func refused(_ error: CaptureService.OpenError) {
        if error.isTransient {
            if capture.problems.raise(subject, "not stored: \(error); what is said is counted as lost") {
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

    /// Tells what happened before there was an intake.
    private func settle(_ intake: StreamIntake) {
        if let unstored {
            intake.countLoss(bytes: unstored.bytes, lines: unstored.lines, since: unstored.since, reason: .noRoom)
        }
        unstored = nil
        boundaries.forEach { intake.mark($0) }
        boundaries.removeAll()
    }

    /// Reads once from `descriptor`, which must not block, whether that can be kept or not.
    func receive(from descriptor: Int32) -> StreamIntake.Received {
        if let intake {
            return intake.receive(from: descriptor)
        }
        let received = shard.receiveUnstored(from: descriptor)
        if case .bytes(let bytes) = received, !isCapturedElsewhere {
            count(
                bytes: bytes.count,
                lines: gl_count_byte(bytes.baseAddress, bytes.count, Lines.feed),
                since: capture.clock.wallMicroseconds()
            )
        }
        return received
    }

    private func count(bytes: Int, lines: Int, since: Int64) {
        let before = unstored ?? (0, 0, since)
        unstored = (before.bytes + bytes, before.lines + lines, min(before.since, since))
    }

    /// Marks what the transport saw (`StreamIntake.mark`).
    func mark(_ boundary: ConsoleBoundary, since: Int64? = nil) {
        if let intake {
            intake.mark(boundary, since: since)
        } else if !isCapturedElsewhere {
            boundaries = boundaries.suffix(Self.boundaryLimit - 1) + [boundary]
        }
    }

    /// Counts what another process read and threw away since `since`, in microseconds since the Unix epoch.
    func countLoss(bytes: Int, lines: Int, since: Int64) {
        if let intake {
            intake.countLoss(bytes: bytes, lines: lines, since: since, reason: .daemonAway)
        } else if !isCapturedElsewhere {
            count(bytes: bytes, lines: lines, since: since)
        }
    }

    /// Ends it.
    func close() {
        if let retry {
            shard.loop.cancel(retry)
            capture.problems.clear(subject)
        }
        retry = nil
        intake?.close()
        intake = nil
    }
}
