import Capture
import Glibc
import LogModel
import LogStore
import SystemIO

/// An open log: the end of its pipe that we read from, on its VM's shard. What QEMU writes goes to `Capture` at once.
///
/// QEMU writes with its machine locked, so nobody may keep it waiting. A guest that is faster than the disk waits for it
/// all the same, as it would for any file, rather than lose what it says: while the ring is full and is being emptied,
/// the pipe is let fill. Only when the ring is not emptied any more, for the disk is stuck, is what comes dropped.
final class LogPipe: EventHandler, @unchecked Sendable {
    // Sendable because all but the lets is touched on the shard's thread alone.

    let owner: LogOwner
    let key: StreamKey
    let shard: Shard
    private let descriptor: Descriptor
    private let onEnd: @Sendable () -> Void
    private var intake: StreamIntake?
    private var token: EventLoop.Token?
    private var pauseTimer: EventLoop.TimerToken?
    /// How often it has rested while the ring was not emptied, and how far that was then.
    private var pauses = 0
    private var progress: UInt64 = 0

    /// How long it is left alone at a time while the ring is full, in microseconds, and how often in a row when that is
    /// not emptied.
    private static let pauseTime: Int64 = 2_000
    private static let pauseLimit = 250

    /// The log of `owner` that comes by `descriptor`, to be stored as `key`; `onEnd` is told when nobody writes any more.
    init(
        _ descriptor: consuming Descriptor,
        of owner: LogOwner,
        key: StreamKey,
        shard: Shard,
        onEnd: @escaping @Sendable () -> Void
    ) {
        self.descriptor = descriptor
        self.owner = owner
        self.key = key
        self.shard = shard
        self.onEnd = onEnd
    }

    private var isConsole: Bool { key.stream.text.hasPrefix(LogNames.console) }

    /// How a log comes to us.
    enum Origin {
        /// It begins; that of a console with the machine that is switched on.
        case new
        /// A process of ours had it before, and every byte but what was discarded since.
        case ours(DiscardedOutput?)
        /// Another program had it, and what came then is in the plain file alone.
        case others
    }

    /// Begins to drain. Shard's thread, as all below.
    func begin(_ options: StreamOptions, in capture: CaptureService, _ origin: Origin) throws(LogManagerError) {
        do throws(CaptureService.OpenError) {
            intake = try capture.open(key, options: options, on: shard)
        } catch {
            throw .internal("\(error)")
        }
        switch origin {
        case .new where isConsole: intake?.mark(.boot(.powerOn))
        case .others: intake?.mark(.absence(.daemonAway))
        case .ours(let discarded?):
            intake?.countLoss(
                bytes: discarded.bytes,
                lines: discarded.lines,
                since: discarded.since,
                reason: .daemonAway
            )
        case .new, .ours(nil): break
        }
        listen()
    }

    private func listen() {
        pauseTimer = nil
        guard intake != nil else {
            return
        }
        do throws(SystemError) {
            token = try shard.loop.add(descriptor.raw, for: .readable, self)
        } catch {
            // The kernel has no memory for it just now.
            pauseReading()
        }
    }

    private func stopListening() {
        if let token {
            shard.loop.remove(token)
        }
        if let pauseTimer {
            shard.loop.cancel(pauseTimer)
        }
        (token, pauseTimer) = (nil, nil)
    }

    private func pauseReading() {
        stopListening()
        pauseTimer = shard.loop.schedule(afterMicroseconds: Self.pauseTime) { [weak self] in self?.listen() }
    }

    func handle(_ readiness: Readiness) {
        guard let intake else {
            return
        }
        guard intake.hasRoom || isStuck(intake) else {
            return pauseReading()
        }
        _ = take()
    }

    /// Whether the ring, which is full, has not been emptied for so long that the guest must not wait for it.
    private func isStuck(_ intake: StreamIntake) -> Bool {
        if intake.progress != progress {
            progress = intake.progress
            pauses = 0
        }
        pauses = min(pauses + 1, Self.pauseLimit)
        return pauses == Self.pauseLimit
    }

    /// Reads once; whether there was something.
    private func take() -> Bool {
        switch intake?.receive(from: descriptor.raw) {
        case .bytes:
            return true
        case .end:
            if isConsole {
                intake?.mark(.boot(.closed))
            }
            end()
            onEnd()
            return false
        case .nothing, nil:
            return false
        }
    }

    /// Reads what is in the pipe now, not what comes while that is done; or finds that it has ended.
    func drain() {
        var left: Int32 = 0
        _ = ioctl(descriptor.raw, UInt(FIONREAD), &left)
        while take(), left > 0 {
            left -= 1
        }
    }

    /// Puts a message among what comes by the pipe.
    func put(_ message: [UInt8]) {
        message.withUnsafeBytes { intake?.put($0) }
    }

    private func end() {
        stopListening()
        intake?.close()
        intake = nil
    }

    /// Lets go without an end. When it `isPassedOn` the next process goes on with the descriptor, which is the caller's
    /// now; else all that is in the pipe is read. None when the log has ended.
    func suspend(isPassedOn: Bool) -> Int32? {
        guard intake != nil else {
            return nil
        }
        if !isPassedOn {
            stopListening()
            drain()
        }
        end()
        return isPassedOn ? try? descriptor.duplicate().release() : nil
    }
}
