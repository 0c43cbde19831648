// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// The intake of one stream whose source must be read, whether there is room for its bytes or not. Lives on the
/// stream's shard.
///
/// When the runtime folder has no room, opening is retried each second; what is received until then is counted, and
/// recorded as a gap once there is room, or by the next process, which does not know how much it is. A stream that is
/// captured another way is not retried: its bytes are left to that, and nothing is missing.
public final class RetryingIntake {
    private let key: StreamKey
    private let options: StreamOptions
    private let capture: CaptureService
    private let shard: Shard
    /// The stream in messages, such as `console web/console0`.
    private let name: String
    private var intake: StreamIntake?
    private var retry: EventLoop.TimerToken?
    /// Bytes that could not be stored since the source began, while there is no intake.
    private var unstored: (bytes: Int, lines: Int, since: Int64)?
    /// Boundaries seen meanwhile: before the first of these bytes, and later.
    private var boundaries: (before: [ConsoleBoundary], later: [ConsoleBoundary]) = ([], [])
    /// Whether the next process would report a loss.
    private var isNoted = false {
        didSet {
            if isNoted != oldValue {
                capture.noteUnrecorded(isNoted ? 1 : -1)
            }
        }
    }
    private var isCapturedElsewhere = false
    private var isClosed = false

    /// The interval between retries, in microseconds.
    private static let retryInterval: Int64 = 1_000_000
    /// Boundaries kept while there is no intake; later ones replace earlier ones.
    private static let boundaryLimit = 8

    /// The intake of `key` on `shard`; messages call the stream `name`.
    public init(_ key: StreamKey, options: StreamOptions, in capture: CaptureService, on shard: Shard, name: String) {
        self.key = key
        self.options = options
        self.capture = capture
        self.shard = shard
        self.name = name
    }

    /// Whether the stream is stored now.
    public var isStored: Bool { intake != nil }

    /// `StreamIntake.hasRoom`; what cannot be stored needs none.
    public var hasRoom: Bool { intake?.hasRoom ?? true }

    /// `StreamIntake.isCommitted`; what could not be stored is not waited for.
    public var isCommitted: Bool { intake?.isCommitted ?? true }

    /// `StreamIntake.progress`.
    public var progress: UInt64 { shard.progress }

    /// Opens the stream, or begins to retry. Throws when that is useless: the stream is captured another way, or has an
    /// unusable name.
    public func open() throws(CaptureService.OpenError) {
        do throws(CaptureService.OpenError) {
            let opened = try capture.open(key, options: options, on: shard)
            intake = opened
            if capture.problems.clear(Problems.Subject(key)) != nil {
                capture.diagnostics.log(.notice, "\(name): is stored now; earlier output was counted as lost")
            }
            recordEarlier(in: opened)
        } catch  where error.isTransient {
            retryLater(after: error)
        } catch {
            isCapturedElsewhere = true
            isNoted = false
            throw error
        }
    }

    private func retryLater(after error: CaptureService.OpenError) {
        if capture.problems.raise(Problems.Subject(key), "not stored: \(error); output is counted as lost") {
            capture.diagnostics.log(.error, "\(name): cannot be stored; its output is counted as lost: \(error)")
        }
        scheduleRetry()
    }

    private func scheduleRetry() {
        // A closed one exists until its gap is recorded.
        let kept = isClosed ? self : nil
        retry = shard.loop.schedule(afterMicroseconds: Self.retryInterval) { [weak self] in
            withExtendedLifetime(kept) { self?.retryNow() }
        }
    }

    private func retryNow() {
        retry = nil
        do throws(CaptureService.OpenError) {
            try open()
        } catch {
            capture.problems.clear(Problems.Subject(key))
            let lost = unstored.map { "; \($0.bytes) bytes were lost before" } ?? ""
            capture.diagnostics.log(.warning, "\(name): \(error)\(lost)")
        }
        if isClosed, retry == nil {
            closeIntake()
        }
    }

    /// Records what happened before there was an intake.
    private func recordEarlier(in intake: StreamIntake) {
        boundaries.before.forEach { intake.mark($0) }
        if let unstored {
            intake.countLoss(bytes: unstored.bytes, lines: unstored.lines, since: unstored.since, reason: .noRoom)
        }
        boundaries.later.forEach { intake.mark($0) }
        unstored = nil
        boundaries = ([], [])
        isNoted = false
    }

    /// Reads once from `descriptor`, which must not block, whether the bytes can be stored or not.
    public func receive(from descriptor: Int32) -> StreamIntake.Received {
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
    public func put(_ bytes: UnsafeRawBufferPointer) {
        if let intake {
            intake.put(bytes)
        } else {
            count(
                bytes: bytes.count,
                lines: gl_count_byte(bytes.baseAddress, bytes.count, Lines.feed),
                since: capture.clock.wallMicroseconds()
            )
        }
    }

    private func count(bytes: Int, lines: Int, since: Int64) {
        guard bytes > 0, !isCapturedElsewhere else {
            return
        }
        isNoted = true
        let before = unstored ?? (0, 0, since)
        unstored = (before.bytes + bytes, before.lines + lines, min(before.since, since))
    }

    /// Records a boundary (`StreamIntake.mark`).
    public func mark(_ boundary: ConsoleBoundary, since: Int64? = nil) {
        if let intake {
            intake.mark(boundary, since: since)
        } else if isCapturedElsewhere {
            return
        } else if unstored == nil {
            if case .absence = boundary {
                isNoted = true
            }
            boundaries.before = boundaries.before.suffix(Self.boundaryLimit - 1) + [boundary]
        } else {
            boundaries.later = boundaries.later.suffix(Self.boundaryLimit - 1) + [boundary]
        }
    }

    /// Counts bytes that another process read and discarded since `since`, in microseconds since the Unix epoch.
    public func countLoss(bytes: Int, lines: Int, since: Int64) {
        if let intake {
            intake.countLoss(bytes: bytes, lines: lines, since: since, reason: .daemonAway)
        } else {
            count(bytes: bytes, lines: lines, since: since)
        }
    }

    /// Ends the intake. A gap or boundary that could not be recorded yet is recorded when there is room, unless the stream is
    /// captured another way by then.
    public func close() {
        isClosed = true
        guard let retry else {
            return closeIntake()
        }
        shard.loop.cancel(retry)
        self.retry = nil
        if unstored != nil || !boundaries.before.isEmpty {
            scheduleRetry()
        } else {
            capture.problems.clear(Problems.Subject(key))
        }
    }

    private func closeIntake() {
        intake?.close()
        intake = nil
    }
}
