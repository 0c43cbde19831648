// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// guestlog-agent: sends the log of the machine that it runs in to the collector of its host.
@main
enum AgentProgram {

    static func main() {
        WriteSignals.ignore()
        do {
            let arguments = CommandLine.arguments.dropFirst()
            if arguments.contains("--version") {
                print(ProgramVersion.current)
                return
            }
            let options = try AgentOptions(Array(arguments))
            if options.isHelpRequested {
                print(AgentOptions.usage)
                return
            }
            try run(options)
        } catch let error as UsageError {
            fail("\(error)", status: 2)
        } catch {
            fail("\(error)", status: 1)
        }
    }

    private static func fail(_ message: String, status: Int32) -> Never {
        write("guestlog-agent: \(message)\n")
        exit(status)
    }

    private static func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }

    private static func run(_ options: AgentOptions) throws {
        let signals = try SignalQueue([SIGTERM, SIGINT])
        let isJournal = JournalStream.isConnected(to: STDERR_FILENO)
        let diagnostics = Diagnostics(sink: { level, message in
            write(isJournal ? "<\(level.rawValue)>\(message)\n" : "guestlog-agent: \(message)\n")
        })
        let loop = try EventLoop()
        let boot = ProcFile.bootID
        let agent = Agent(options, boot: boot, on: loop) {
            diagnostics.logChange($0, $1)
        } log: {
            diagnostics.log($0, $1)
        }
        let account = try options.user.map { try UserAccount(named: $0) }
        let mode = AgentMode(
            requested: options.syslogSocket,
            AgentMode.DetectedServices(
                hasJournal: LinuxFileSystem().status("/run/systemd/journal/socket") != nil,
                canReadJournal: canReadJournal(as: account),
                isServed: isServed
            )
        )
        let inherited = inheritedSocket()
        let hasPositions = options.readsKernel || mode == .journal && inherited == nil
        let stateFolder = try hasPositions ? openState(options.stateFolder, diagnostics) : nil
        defer { withExtendedLifetime(stateFolder) {} }
        if let path = inherited == nil ? mode.path : AgentMode.journalSocket {
            try agent.serveSyslog(at: path, inherited: inherited)
        }
        var kernelWords = "no kernel log"
        if options.readsKernel {
            let position = PositionFile<UInt64>("kernel-position", in: options.stateFolder, boot: boot)
            kernelWords =
                position.stored.map { "the kernel's log after record \($0)" } ?? "the kernel's log from its beginning"
            try agent.readKernel(position)
        }
        let syslogWords = inherited == nil ? "\(mode)" : "the syslog socket that the service manager passed"
        let protocolWords = options.wireProtocol == .guestlog ? "" : " (protocol \(options.wireProtocol.rawValue))"
        diagnostics.log(.notice, "\(syslogWords); \(kernelWords); to \(options.target)\(protocolWords)")
        // A port may not be accessible to the other user.
        agent.connect()
        try account?.become(owning: options.stateFolder)
        if mode == .journal, inherited == nil {
            // journalctl is started again when it ends, and ended by this process: it is that user's from the beginning.
            agent.followJournal(PositionFile("journal-position", in: options.stateFolder, boot: boot))
        }
        ProgramCode.release()
        let stop = StopSignal(signals) { agent.stop() }
        try stop.begin(on: loop)
        loop.run()
        agent.finish()
    }

    /// The locked folder; nil, with a warning, when it cannot be written. Throws when another agent uses it.
    private static func openState(_ path: String, _ diagnostics: Diagnostics) throws(SystemError) -> StateFolder? {
        do throws(SystemError) {
            return try StateFolder(at: path)
        } catch {
            guard error.code != EWOULDBLOCK else {
                throw error
            }
            diagnostics.log(.warning, StateFolder.warning(error))
            return nil
        }
    }

    /// Whether journalctl is installed, and a journal may be read: by this user, or by the one that the agent becomes.
    private static func canReadJournal(as account: UserAccount?) -> Bool {
        let folders = ["/run/log/journal", "/var/log/journal"]
        let programs = ["/usr/bin/journalctl", "/bin/journalctl"]
        guard programs.contains(where: { access($0, X_OK) == 0 }) else {
            return false
        }
        guard account != nil || geteuid() != 0 else {
            return folders.contains { access($0, R_OK) == 0 }
        }
        // All users may list the folders, and few may read the files.
        return folders.contains { folder in
            ((try? LinuxFileSystem().names(in: folder)) ?? []).contains { machine in
                let path = "\(folder)/\(machine)/system.journal"
                return account?.mayRead(path) ?? (access(path, R_OK) == 0)
            }
        }
    }

    /// Whether a program serves the datagram socket at `path`.
    private static func isServed(_ path: String) -> Bool {
        UnixSocket.acceptsDatagrams(at: path)
    }

    /// The socket of a socket-activated service (sd_listen_fds(3)); nil: there is none.
    private static func inheritedSocket() -> Int32? {
        guard let process = Environment[PassedDescriptors.processVariable].flatMap({ Int32($0) }), process == getpid(),
            let count = Environment[PassedDescriptors.countVariable].flatMap({ Int32($0) }), count > 0
        else {
            return nil
        }
        return 3
    }
}

/// Ends the agent at a signal.
final class StopSignal: EventHandler {
    private let signals: SignalQueue
    private let stop: () -> Void

    init(_ signals: consuming SignalQueue, stop: @escaping () -> Void) {
        self.signals = signals
        self.stop = stop
    }

    func begin(on loop: EventLoop) throws(SystemError) {
        _ = try loop.add(signals.raw, for: .readable, self)
    }

    func handle(_ readiness: Readiness) {
        if signals.take() != nil {
            stop()
        }
    }
}
