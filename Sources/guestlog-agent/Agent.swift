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
    private let logChange: (DiagnosticLevel, String) -> Void
    private let uplink: Uplink
    private var session: any AgentChannel
    private var kernelPosition: PositionFile<UInt64>?
    private var journalPosition: PositionFile<JournalMark>?
    private var kernel: KernelLog?
    private var syslog: SyslogSocket?
    private var journal: JournalFollower?
    private var isJournalPaused = false
    private var timer: (token: EventLoop.TimerToken, time: Int64)?
    private var isSaveScheduled = false
    private var isStopping = false
    /// Why there is no connection; nil when there is one, or none has failed yet.
    private var loss: String? {
        didSet { logConnection() }
    }
    /// Whether the log says that there is no connection.
    private var isLossLogged = false
    private var isConnectionLogPaused = false
    private var isSaveProblemLogged = false

    /// The shortest time between two messages about the connection, in microseconds.
    private static let connectionLogInterval: Int64 = 1_000_000

    /// The time that a stop takes at most, in microseconds: an init system that ends a VM gives no more.
    private static let stopLimit: Int64 = 300_000
    /// The interval at which the sources' positions are saved, in microseconds.
    private static let saveInterval: Int64 = 1_000_000

    /// `logChange`: takes messages of changes, of which each is logged, however often.
    init(
        _ options: AgentOptions,
        boot: String,
        on loop: EventLoop,
        clock: any HostClock = SystemClock(),
        logChange: @escaping (DiagnosticLevel, String) -> Void,
        log: @escaping (DiagnosticLevel, String) -> Void
    ) {
        self.loop = loop
        self.clock = clock
        self.log = log
        self.logChange = logChange
        uplink = Uplink(to: options.target, on: loop)
        session = Self.channel(options, boot: boot)
        uplink.onEvent = { [unowned self] in handle($0) }
    }

    private static func channel(_ options: AgentOptions, boot: String) -> any AgentChannel {
        switch options.wireProtocol {
        case .chromeOS:
            return LogCollectorSession(spoolLimit: options.spool)
        case .guestlog:
            return AgentSession(
                spoolLimit: options.spool,
                program: "guestlog-agent \(ProgramVersion.current)",
                boot: bytes(ofBoot: boot)
            ) {
                SessionID(.random(in: 0...UInt64.max), .random(in: 0...UInt64.max))
            }
        }
    }

    /// The 16 bytes of a UUID in text.
    private static func bytes(ofBoot text: String) -> [UInt8] {
        let digits = text.filter { $0 != "-" }
        return [UInt8](hexadecimal: digits) ?? []
    }

    /// Reads the kernel's log from the position on.
    func readKernel(_ position: PositionFile<UInt64>) throws(SystemError) {
        kernelPosition = position
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

    /// Follows the journal from the position on.
    func followJournal(_ position: PositionFile<JournalMark>) {
        journalPosition = position
        let journal = JournalFollower(after: position.stored, on: loop) { [log] in
            log(.warning, $0)
        } onRecord: { [unowned self] record, mark in
            journalPosition?.note(mark, at: session.spool.nextOrdinal, first: session.spool.firstOrdinal)
            add(record)
        }
        self.journal = journal
        journal.begin()
    }

    func connect() {
        uplink.connect()
    }

    // MARK: - Records

    private func add(_ record: GuestRecord) {
        if let number = record.kernelSequence {
            kernelPosition?.note(number, at: session.spool.nextOrdinal, first: session.spool.firstOrdinal)
        }
        session.append(record, at: now)
        paceJournal()
        schedulePump()
    }

    /// The journal keeps what the host does not take now, the other sources do not: it fills half of the spool at most.
    private func paceJournal() {
        let isPaused = session.spool.size >= session.spool.limit / (isJournalPaused ? 4 : 2)
        if isPaused != isJournalPaused {
            isJournalPaused = isPaused
            journal?.pause(isPaused)
        }
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
            session.connected(at: now)
            pump()
        case .writable:
            pump()
        case .received(let bytes):
            receive(bytes)
        case .ended(let reason):
            session.disconnected()
            loss = reason
        }
    }

    private func receive(_ bytes: [UInt8]) {
        let action = session.receive(bytes, at: now)
        if session.isEstablished {
            noteConnection()
        }
        kernelPosition?.advance(to: session.spool.firstOrdinal)
        journalPosition?.advance(to: session.spool.firstOrdinal)
        paceJournal()
        scheduleSave()
        perform(action)
        pump()
    }

    private func perform(_ action: ChannelAction) {
        if case .reconnect(let reason) = action {
            uplink.drop(reason)
        }
    }

    private func noteConnection() {
        uplink.noteSuccess()
        loss = nil
    }

    /// Logs whether there is a connection, when that has changed. A host that accepts connections and closes them does not
    /// flood the log: of the changes in an interval only what they lead to is logged.
    private func logConnection() {
        guard !isConnectionLogPaused, (loss != nil) != isLossLogged else {
            return
        }
        isLossLogged = loss != nil
        logChange(.notice, loss.map { "not connected: \($0); records wait in memory" } ?? "connected")
        isConnectionLogPaused = true
        loop.schedule(afterMicroseconds: Self.connectionLogInterval) { [weak self] in
            self?.isConnectionLogPaused = false
            self?.logConnection()
        }
    }

    private func scheduleSave() {
        guard kernel != nil || journal != nil, !isSaveScheduled else {
            return
        }
        isSaveScheduled = true
        loop.schedule(afterMicroseconds: Self.saveInterval) { [unowned self] in
            isSaveScheduled = false
            savePositions()
        }
    }

    private func savePositions() {
        kernelPosition?.save()
        journalPosition?.save()
        let problem = kernelPosition?.problem ?? journalPosition?.problem
        if let problem, !isSaveProblemLogged {
            log(.warning, StateFolder.warning(problem))
        }
        isSaveProblemLogged = problem != nil
    }

    // MARK: - The end

    /// Sends what is there, and ends the loop when it is stored, or after `stopLimit`.
    func stop() {
        isStopping = true
        kernel?.drain()
        syslog?.drain()
        journal?.end()
        loop.schedule(afterMicroseconds: Self.stopLimit) { [loop] in loop.stop() }
        pump()
    }

    /// To be called when the loop has ended.
    func finish() {
        savePositions()
        if !session.isComplete {
            log(.warning, "\(session.spool.count) records were not delivered")
        }
    }
}
