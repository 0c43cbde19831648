// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import RotatingFile
import SystemIO

/// The loop, on one thread: read, write, wait.
final class TailRun {
    private let options: TailOptions
    private let signals: SignalQueue
    private let messages: Diagnostics
    private let clock = SystemClock()
    private var state: TailState
    private let output: TailOutput
    private let watch: LogFileWatch
    private let log: LogFileWatch.ID
    private let markers: StopMarkers
    private let follower: RotatingFileFollower
    private let buffer = FollowBuffer()
    private let writer: LineWriter
    private var positions: PositionKeeper
    private var pacing = ReadPacing()
    private var losses = LossReport()

    // Monotonic times, in microseconds.
    /// When the log is read next; nil when nothing is known to have changed.
    private var nextRead: Int64? = 0
    /// When a log that could not be read is tried again.
    private var nextTry: Int64?
    /// When bytes were read last.
    private var lastBytes: Int64 = 0
    private var hasReportedMissing = false
    private var hasReportedCompressed = false
    private var nextPoll: Int64 = 0
    /// While an error blocks the output, when it is written next.
    private var nextWrite: Int64 = 0
    /// While the output is blocked, when the log is looked at next.
    private var nextLook: Int64 = 0
    /// When the missing socket is reported; nil once it is.
    private var socketDue: Int64?

    private var now: Int64 { clock.monotonicMicroseconds() }

    /// After so long without further bytes an unfinished line is shown.
    static let quiet: Int64 = 200_000
    /// A file that cannot be read, or an output that cannot be written, is tried again after this time.
    private static let retryInterval: Int64 = 1_000_000
    /// While the output is blocked, rotated files are opened no more often than this.
    private static let lookInterval: Int64 = 10_000
    /// Signals are looked for after so many bytes.
    private static let bytesAtOnce = 1 << 20

    init(_ options: TailOptions, _ signals: consuming SignalQueue, _ messages: Diagnostics) throws(SystemError) {
        self.options = options
        self.signals = signals
        self.messages = messages
        state = TailState(stopOn: options.stopCauses)
        output = try TailOutput(Descriptor(owning: STDOUT_FILENO))
        watch = LogFileWatch { messages.log(.warning, $0) }
        log = watch.add(options.logFile)
        markers = StopMarkers(options, watch)
        positions = PositionKeeper(options, messages)
        follower = RotatingFileFollower(options.logFile, start: positions.start, rotateWait: options.rotateWait)
        writer = LineWriter(options)
        socketDue = options.socket == nil ? nil : clock.monotonicMicroseconds() + options.socketTimeout
    }

    /// Follows the log until something ends it.
    func run() {
        messages.log(.info, "following \(options.logFile)")
        checkMarkers(markers.all)
        while !state.isEnded {
            read()
            guard !state.isEnded else {
                break
            }
            wait(until: deadline)
        }
        finish()
    }

    // MARK: - Reading

    /// Reads what there is, until the output is blocked.
    private func read() {
        guard let due = nextRead, due <= now, output.status == .ready else {
            return
        }
        if case .draining = state.phase {
            // What comes later is not waited for.
            follower.rotateWait = 0
        }
        var total = 0
        while output.status == .ready, !state.isEnded {
            switch follower.next(buffer) {
            case .bytes(let bytes):
                total += bytes.count
                lastBytes = now
                writer.add(bytes, at: Timestamp(microseconds: clock.wallMicroseconds()))
                let pending = writer.pendingCount
                if pending <= bytes.count {
                    positions.shown = follower.position(before: pending, of: bytes.count, in: buffer)
                }
                emit()
                if total >= Self.bytesAtOnce {
                    // The rest is read in the next turn.
                    return positions.save(at: now, output)
                }
            case .gap(let gap):
                losses.add(gap)
                writer.add(gap, at: Timestamp(microseconds: clock.wallMicroseconds()))
                emit()
            case .idle(let reason):
                pacing.didRead(total, at: now)
                report(reason)
                nextRead = nil
                if case .failing = reason {
                    nextTry = now + Self.retryInterval
                } else if let wait = follower.waitTime {
                    nextTry = now + wait
                }
                return
            }
        }
    }

    private func report(_ reason: FollowIdle) {
        if let newest = follower.compressedBefore.last, !hasReportedCompressed {
            hasReportedCompressed = true
            let count = follower.compressedBefore.count
            let files = count == 1 ? newest : "\(newest) and \(count - 1) older ones"
            messages.log(.notice, "older text is in compressed files, which are not read: \(files)")
        }
        switch reason {
        case .atEnd:
            break
        case .missing(let path):
            if follower.position == nil, !hasReportedMissing {
                hasReportedMissing = true
                let what = path == options.logFile ? "" : ": \(path) does not exist yet"
                messages.log(.notice, "waiting for \(options.logFile)\(what)")
            }
        case .failing(let error):
            let isRefused = [EACCES, EPERM].contains(error.code)
            let remedy = isRefused ? " (user \(geteuid()) must be able to read it)" : ""
            messages.log(.warning, "\(error); trying again every second\(remedy)")
        }
    }

    private func emit() {
        writer.take { output.write($0) }
        check(output)
    }

    private func check(_ output: TailOutput) {
        if output.status == .closed {
            if let error = output.error, error.code != EPIPE, error.code != EBADF {
                messages.log(.error, "\(error)")
            }
            state.handle(.outputClosed, at: now)
        } else if let error = output.error {
            nextWrite = now + Self.retryInterval
            messages.log(.warning, "\(error); trying again every second")
        }
    }

    // MARK: - Waiting

    /// When something is due at the latest; nil: nothing.
    private var deadline: Int64? {
        var times: [Int64] = []
        if output.status == .ready {
            times += [nextRead, nextTry, positions.due].compactMap { $0 }
            times += writer.pendingCount > 0 ? [lastBytes + Self.quiet] : []
        } else {
            times += [output.isPollable ? nil : nextWrite, now < nextLook ? nextLook : nil].compactMap { $0 }
        }
        if case .draining(_, let quiet, let end) = state.phase {
            times += isDrained ? [end, max(lastBytes, state.stoppedAt) + quiet] : [end]
        }
        times += watch.isPolling ? [nextPoll] : []
        times += [state.awaitsSocket ? socketDue : nil, losses.due].compactMap { $0 }
        return times.min()
    }

    /// Whether nothing is left to be read or written.
    private var isDrained: Bool { output.status == .ready && nextRead == nil }

    private func wait(until deadline: Int64?) {
        let isBlocked = output.status == .blocked
        // While a read is due, further changes of the log tell nothing new.
        let isPaced = isBlocked ? now < nextLook : nextRead != nil
        var polled = [
            pollfd(signals.raw),
            pollfd(output.raw, isBlocked && output.isPollable ? POLLOUT : 0),
            pollfd(isPaced ? -1 : watch.descriptor ?? -1),
        ]
        Poll.wait(for: &polled, microseconds: deadline.map { $0 - now })
        while let number = signals.take() {
            state.handle(.signal(number), at: now)
            nextRead = nextRead ?? now
        }
        if Int32(polled[1].revents) & (POLLERR | POLLHUP) != 0 {
            state.handle(.outputClosed, at: now)
        }
        if isBlocked, output.isPollable || nextWrite <= now {
            if output.flush() {
                state.handle(.progress, at: now)
            }
            check(output)
        }
        if polled[2].revents != 0 || watch.isPolling && nextPoll <= now {
            acceptChanges()
        }
        doWhatIsDue()
    }

    private func acceptChanges() {
        nextPoll = now + LogFileWatch.pollInterval
        let changed = watch.changes()
        if changed.contains(log) {
            nextRead = nextRead ?? now + pacing.delay(at: now)
            if output.status == .blocked {
                follower.holdNewFiles()
                nextLook = now + Self.lookInterval
            }
        }
        checkMarkers(changed)
    }

    private func checkMarkers(_ changed: Set<LogFileWatch.ID>) {
        for event in markers.events(changed) {
            state.handle(event, at: now)
            nextRead = nextRead ?? now
        }
    }

    private func doWhatIsDue() {
        let time = now
        if let due = nextTry, due <= time {
            nextTry = nil
            nextRead = time
        }
        if output.status == .ready, writer.pendingCount > 0, time >= lastBytes + Self.quiet {
            writer.flush()
            positions.shown = follower.position
            emit()
        }
        if isDrained {
            state.handle(.drained(quietFor: time - lastBytes), at: time)
        }
        state.handle(.time, at: time)
        positions.save(at: time, output)
        if let words = losses.take(at: time) {
            messages.log(.warning, words)
        }
        if state.awaitsSocket, let due = socketDue, due <= time, let socket = options.socket {
            socketDue = nil
            messages.log(.notice, "the console's socket \(socket) has not appeared yet; still waiting")
        }
    }

    // MARK: - The end

    private func finish() {
        guard case .ended(let reason) = state.phase else {
            return
        }
        if reason != .outputClosed, output.status == .ready {
            writer.flush(isEnd: true)
            positions.shown = follower.position
            emit()
        }
        positions.save(at: now, output, isEnd: true)
        if let words = losses.take(at: now, isEnd: true) {
            messages.log(.warning, words)
        }
        if reason != .outputClosed, output.status == .blocked || nextRead != nil {
            let kept = output.kept > 0 ? "\(output.kept) bytes were not accepted by the reader" : "the log has more"
            messages.log(.warning, "ended before everything was written: \(kept)")
        }
        messages.log(.info, "ended: \(reason)")
    }
}
