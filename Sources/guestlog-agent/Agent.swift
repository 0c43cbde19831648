// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import LogModel
import SystemIO

/// The agent at work: sources fill the session, the session fills the uplink. Lives on one thread.
final class Agent {
    private let loop: EventLoop
    private let clock: any HostClock
    private let log: (DiagnosticLevel, String) -> Void
    private let uplink: Uplink
    private var session: AgentSession
    private var decoder = FrameDecoder(resynchronizes: true)
    private var position: KernelPosition?
    private var kernel: KernelLog?
    private var syslog: SyslogSocket?
    private var timer: (token: EventLoop.TimerToken, time: Int64)?
    private var isSaveScheduled = false
    private var isStopping = false
    /// Whether the loss of the connection was logged.
    private var isLossLogged = false

    /// The time that a stop takes at most, in microseconds: an init system that ends a VM gives no more.
    private static let stopLimit: Int64 = 300_000
    /// The interval at which the position in the kernel's log is saved, in microseconds.
    private static let saveInterval: Int64 = 1_000_000

    init(
        _ options: AgentOptions,
        boot: String,
        on loop: EventLoop,
        clock: any HostClock = SystemClock(),
        log: @escaping (DiagnosticLevel, String) -> Void
    ) {
        self.loop = loop
        self.clock = clock
        self.log = log
        uplink = Uplink(to: options.target, on: loop)
        session = AgentSession(
            spoolLimit: options.spool,
            program: "guestlog-agent \(AgentProgram.version)",
            boot: Self.bytes(ofBoot: boot)
        ) {
            SessionID(.random(in: 0...UInt64.max), .random(in: 0...UInt64.max))
        }
        uplink.onEvent = { [unowned self] in handle($0) }
    }

    /// The 16 bytes of a UUID in text.
    private static func bytes(ofBoot text: String) -> [UInt8] {
        let digits = text.filter { $0 != "-" }
        return [UInt8](hexadecimal: digits) ?? []
    }

    /// Reads the kernel's log from the position on.
    func readKernel(_ position: KernelPosition) throws(SystemError) {
        self.position = position
        let kernel = try KernelLog(after: position.stored, clock: clock) { [unowned self] in add($0) }
        try kernel.begin(on: loop)
        self.kernel = kernel
    }

    /// Serves the syslog socket at `path`, or the one that the service manager passed.
    func serveSyslog(at path: String, inherited: Int32?) throws(SystemError) {
        let syslog = try SyslogSocket(at: path, inherited: inherited) { [unowned self] in add($0) }
        try syslog.begin(on: loop)
        self.syslog = syslog
    }

    func connect() {
        uplink.connect()
    }

    // MARK: - Records

    private func add(_ record: GuestRecord) {
        if let number = record.kernelSequence {
            position?.note(number, as: session.spool.next)
        }
        session.append(record, at: now)
        schedulePump()
    }

    private var now: Int64 { clock.monotonicMicroseconds() }

    /// Sends what is due, and looks again when the next is.
    private func pump() {
        perform(session.check(at: now))
        while uplink.isConnected, uplink.isEmpty, let frame = session.nextFrame(at: now, isFlushing: isStopping) {
            uplink.send(frame)
        }
        schedulePump()
        if isStopping, session.isComplete {
            loop.stop()
        }
    }

    private func schedulePump() {
        // While the kernel has no room, `writable` continues.
        let sendTime = uplink.isConnected && uplink.isEmpty ? session.sendTime : nil
        guard let time = [sendTime, session.checkTime].compactMap(\.self).min() else {
            return
        }
        if let timer {
            guard time < timer.time else {
                return
            }
            loop.cancel(timer.token)
        }
        let token = loop.schedule(afterMicroseconds: max(0, time == .min ? 0 : time - now)) { [unowned self] in
            timer = nil
            pump()
        }
        timer = (token, time)
    }

    // MARK: - The connection

    private func handle(_ event: Uplink.Event) {
        switch event {
        case .connected:
            decoder = FrameDecoder(resynchronizes: true)
            session.connected(at: now)
            pump()
        case .writable:
            pump()
        case .received(let bytes):
            receive(bytes)
        case .ended(let reason):
            session.disconnected()
            if !isLossLogged {
                isLossLogged = true
                log(.notice, "not connected: \(reason); records wait in memory")
            }
        }
    }

    private func receive(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { decoder.append($0) }
        do throws(GuestChannelError) {
            while let payload = try decoder.next() {
                let action = session.receive(try CollectorMessage(decoding: payload), at: now)
                if session.state == .established {
                    noteConnection()
                }
                perform(action)
            }
        } catch {
            uplink.drop("\(error)")
            return
        }
        position?.advance(to: session.spool.first)
        scheduleSave()
        pump()
    }

    private func perform(_ action: AgentSession.Action) {
        if case .reconnect(let reason) = action {
            uplink.drop(reason)
        }
    }

    private func noteConnection() {
        uplink.noteSuccess()
        if isLossLogged {
            isLossLogged = false
            log(.notice, "connected")
        }
    }

    private func scheduleSave() {
        guard position != nil, !isSaveScheduled else {
            return
        }
        isSaveScheduled = true
        loop.schedule(afterMicroseconds: Self.saveInterval) { [unowned self] in
            isSaveScheduled = false
            position?.save()
        }
    }

    // MARK: - The end

    /// Sends what is there, and ends the loop when it is stored, or after `stopLimit`.
    func stop() {
        isStopping = true
        kernel?.drain()
        syslog?.drain()
        loop.schedule(afterMicroseconds: Self.stopLimit) { [loop] in loop.stop() }
        pump()
    }

    /// To be called when the loop has ended.
    func finish() {
        position?.save()
        if !session.isComplete {
            log(.warning, "\(session.spool.count) records were not delivered")
        }
    }
}
