// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

/// `guestlog run`: captures one VM in this process.
///
/// The child gets a pseudo-terminal as standard input, output and error. The terminal of this process is a watcher that
/// may type, like any other.
public final class ForegroundRun {
    private let configuration: Configuration
    private let name: RunName
    private let command: [String]

    /// Prepares to run `command` as the VM `name`; nil: as a VM named like the command or, while another process writes
    /// that log, like the command and this process.
    ///
    /// Throws `Busy` when another process writes the log of the VM `name`.
    public init(_ configuration: Configuration, name: String?, command: [String]) throws {
        self.configuration = configuration
        self.command = command
        if let name {
            self.name = try RunName(name, in: configuration.store, runtime: configuration.runtime)
        } else {
            self.name = try RunName.claim(like: command, in: configuration.store, runtime: configuration.runtime)
        }
    }

    /// The VM's name.
    public var vm: String { name.name }

    /// The default name of a VM that `command` starts: the program's name.
    public static func name(like command: [String]) -> String { DirectoryHandle.split(command[0]).name }

    /// The command could not be started.
    public struct CannotStart: Error, CustomStringConvertible {
        let cause: SystemError

        /// The exit status that a shell would use.
        public var status: Int32 { cause.code == ENOENT ? 127 : 126 }
        public var description: String { "\(cause)" }
    }

    /// Another process writes the VM's log; the command was not started.
    public struct Busy: Error, CustomStringConvertible {
        let name: String
        let store: String
        /// The other process; nil when the kernel does not report it.
        let process: pid_t?

        public var description: String {
            let who = process.map { "process \($0)" } ?? "another process"
            return "\(who) writes the log of \(name) in \(store); use another --name, or stop that process"
        }
    }

    /// Runs until the command ends; returns its exit status, or 128 and the signal that ended it. Signals that would
    /// end this process are passed to the command. All output is committed before the return.
    public func run() throws -> Int32 {
        let console = try ConsoleHub.Definition(key: StreamKey(name: name.name), endpoint: .inherited)
        let signals = try RunStreams.signals()
        let runtime = RunFolder(in: configuration.runtime)
        defer { runtime.remove() }
        var options = configuration.captureOptions(inflight: runtime.inflight)
        options.abandoned = RunFolder.abandoned(in: configuration.runtime)
        options.shards = 1
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .warning))
        let hub = try ConsoleHub(.init(table: runtime.table), capture: capture, manager: ServiceManager())
        try capture.start()
        defer { capture.stop() }
        try capture.awaitStore()
        try hub.start()
        defer { hub.stop() }

        let terminal = try PseudoTerminal()
        RunStreams.setSize(of: terminal)
        let child: ChildProgram
        do {
            child = try ChildProgram.command(command, .terminal(terminal.path))
        } catch {
            throw CannotStart(cause: error)
        }
        // Output of the command waits in its terminal meanwhile.
        let ends = try SocketEnds.open()
        let notices = Notices()
        hub.add(
            console,
            descriptor: try terminal.master.duplicate(),
            writer: ends.theirs,
            who: Self.watcherName,
            onNotice: notices.add
        )
        let streams = try RunStreams(
            of: child,
            terminal,
            ends.ours,
            signals,
            access(to: console.key, in: hub, notices)
        )
        return try streams.run()
    }

    /// The name of this terminal's watcher.
    private static let watcherName = "this terminal"

    private func access(to console: StreamKey, in hub: ConsoleHub, _ notices: Notices) -> RunStreams.Hub {
        let isConnected = {
            hub.statuses().contains { $0.definition.key == console && $0.isConnected }
        }
        return RunStreams.Hub(
            isConnected: isConnected,
            join: { () throws(SystemError) -> Descriptor in
                let ends = try SocketEnds.open()
                _ = hub.attach(console, ends.theirs, as: .write, who: Self.watcherName, onNotice: notices.add)
                return ends.ours
            },
            close: {
                // The hub answers between its reads: after two answers it has read what was there before.
                _ = isConnected() && isConnected()
                _ = hub.remove(console, reason: nil)
            },
            notices: notices.take
        )
    }
}

/// Notices from the hub. The thread that gives them must not wait for a terminal.
private final class Notices: Sendable {
    private let pending = Mutex<[String]>([])

    @Sendable
    func add(_ notice: ConsoleNotice) {
        pending.withLock { $0.append(notice.text) }
    }

    /// The notices since the last call.
    @Sendable
    func take() -> [String] {
        pending.withLock { pending in
            defer { pending = [] }
            return pending
        }
    }
}

/// A connection within this process: one end for this class, one for the hub.
private struct SocketEnds: ~Copyable {
    let ours: Descriptor
    let theirs: Descriptor

    static func open() throws(SystemError) -> SocketEnds {
        let pair = try Descriptor.socketPair()
        return SocketEnds(ours: try pair.first.duplicate(), theirs: try pair.second.duplicate())
    }
}
