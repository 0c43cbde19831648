// SPDX-License-Identifier: Apache-2.0

import CLinux
import Capture
import LogModel
import SystemIO

/// An open log: the read end of its pipe, on its VM's shard. QEMU's output goes to `Capture` at once.
///
/// QEMU writes with its machine locked, so its writes must not block for long: `PipePacing` decides how long the pipe is
/// left full. When the disk is blocked, or the runtime folder has no room, output is dropped and counted.
final class LogPipe: EventHandler, @unchecked Sendable {
    // Sendable because all but the lets is accessed on the shard's thread alone.

    let owner: LogOwner
    let key: StreamKey
    let shard: Shard
    private let descriptor: Descriptor
    private let start: MachineStart
    private let onEnd: @Sendable () -> Void
    /// Whether the boundary at the beginning is marked later, by `start`.
    private var awaitsStart = false
    private var intake: RetryingIntake?
    private var token: EventLoop.Token?
    private var pauseTimer: EventLoop.TimerToken?
    private var pacing = PipePacing()

    /// The log of `owner`, whose VM has that `start`, in the pipe `descriptor`, to be stored as `key`; `onEnd` is called
    /// when the pipe has no writer any more.
    init(
        _ descriptor: consuming Descriptor,
        of owner: LogOwner,
        key: StreamKey,
        shard: Shard,
        start: MachineStart,
        onEnd: @escaping @Sendable () -> Void
    ) {
        self.descriptor = descriptor
        self.owner = owner
        self.key = key
        self.shard = shard
        self.start = start
        self.onEnd = onEnd
    }

    private var isConsole: Bool { LogNames.isConsole(key.stream) }

    /// The history of a log.
    enum Origin {
        /// It is new; a console begins with the machine's power-on, unless the machine continues (`MachineStart`).
        case new
        /// A previous process of this program had it, and stored everything but what was discarded since.
        case ours(DiscardedOutput?)
        /// Another program had it, and wrote to the plain file only.
        case others
    }

    /// Begins to drain. On the shard's thread, like all methods below.
    func begin(_ options: StreamOptions, in capture: CaptureService, _ origin: Origin) throws(LogManagerError) {
        let intake = RetryingIntake(key, options: options, in: capture, on: shard, name: "log \(key)")
        do throws(CaptureService.OpenError) {
            try intake.open()
        } catch {
            throw .internal("\(error)")
        }
        self.intake = intake
        switch origin {
        case .new where isConsole:
            awaitsStart = true
            start.add(console: self)
        case .new where LogNames.isOfMachine(key.stream, owner): start.add(messages: self)
        case .others: intake.mark(.absence(.daemonAway))
        case .ours(let discarded):
            if capture.hasLostBefore {
                intake.mark(.absence(.daemonAway))
            }
            if let discarded {
                intake.countLoss(bytes: discarded.bytes, lines: discarded.lines, since: discarded.since)
            }
        case .new: break
        }
        listen()
    }

    /// Marks the machine's power-on, unless it `isContinued`: then its output belongs to the boot before.
    func markStart(isContinued: Bool) {
        awaitsStart = false
        if !isContinued {
            intake?.mark(.boot(.powerOn))
        }
    }

    private func listen() {
        pauseTimer = nil
        guard intake != nil else {
            return
        }
        do throws(SystemError) {
            token = try shard.loop.add(descriptor.raw, for: .readable, self)
        } catch {
            // The kernel has no memory for it at present.
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
        pauseTimer = shard.loop.schedule(afterMicroseconds: PipePacing.pauseTime) { [weak self] in self?.listen() }
    }

    func handle(_ readiness: Readiness) {
        guard let intake else {
            return
        }
        guard pacing.mayRead(hasRoom: intake.hasRoom, progress: intake.progress) else {
            return pauseReading()
        }
        if awaitsStart {
            start.decide()
        }
        _ = readOnce()
    }

    /// Reads once; returns how many bytes there were.
    private func readOnce() -> Int {
        switch intake?.receive(from: descriptor.raw) {
        case .bytes(let bytes):
            start.receive(bytes, from: self)
            return bytes.count
        case .end:
            if isConsole {
                intake?.mark(.boot(.closed))
            }
            end()
            onEnd()
            return 0
        case .nothing, nil:
            return 0
        }
    }

    /// Reads the present contents of the pipe and once more, which detects its end: a guest that prints faster than it
    /// is read does not prolong this. What the ring has no room for is dropped and counted: a call of libvirtd's is
    /// answered, and its message is added, after all output before it.
    func drain() {
        var left = Int(gl_bytes_waiting(descriptor.raw))
        if awaitsStart {
            guard left > 0 else {
                return
            }
            start.decide()
        }
        while case let count = readOnce(), count > 0, left > 0 {
            left -= count
        }
    }

    /// Whether all output that was read is in the plain file and the store, or counted as lost.
    var isCommitted: Bool { intake?.isCommitted ?? false }

    /// Adds a message to the log.
    func put(_ message: [UInt8]) {
        message.withUnsafeBytes { intake?.put($0) }
    }

    private func end() {
        stopListening()
        intake?.close()
        intake = nil
    }

    /// Ends without a marker. When it `isPassedOn` the next process continues with the descriptor, which stays open until
    /// this one ends; else the contents of the pipe are read. Nil when the log has ended.
    func suspend(isPassedOn: Bool) -> Int32? {
        guard intake != nil else {
            return nil
        }
        if awaitsStart {
            start.decide()
        }
        if !isPassedOn {
            stopListening()
            drain()
        }
        end()
        guard isPassedOn else {
            return nil
        }
        // The descriptor outlives this object: a duplicate could not be had at the limit.
        _ = Unmanaged.passRetained(self)
        return descriptor.raw
    }
}
