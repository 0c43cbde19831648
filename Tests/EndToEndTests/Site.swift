// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

/// A host with Guestlog: a folder with a configuration and a store, a runtime folder, and a daemon that serves it.
///
/// Any socket `vms/NAME.sock` in it is the console of the VM NAME.
final class Site {
    private let folder = TemporaryFolder()
    private let memory = TemporaryFolder(parent: "/dev/shm")
    /// The daemon, or the `guestlog keep` that runs it.
    private(set) var daemon: ChildProcess?
    /// The runtime folder, on tmpfs like /run. On a disk guests would have to wait for it.
    let runtime: String
    let storePath: String

    /// A site whose configuration has `extra` added, with a daemon unless `isServed` is false. `consoles` returns other
    /// consoles than those in `vms`, for a site at the given path. The store and the runtime folder may be elsewhere,
    /// as on a file system with faults.
    init(
        store: String? = nil,
        runtime: String? = nil,
        plainFiles: Bool = false,
        extra: String = "",
        consoles: ((String) -> String)? = nil,
        isServed: Bool = true
    ) throws {
        self.runtime = runtime ?? memory.path
        storePath = store ?? folder.path + "/store"
        mkdir(path + "/vms", 0o755)
        FileText.write(
            """
            store: \(storePath)
            runtime: \(self.runtime)
            \(extra)
            \(consoles?(path) ?? Self.discovered(in: path, plainFiles: plainFiles))

            """,
            to: configuration
        )
        mkdir(path + "/plain", 0o755)
        if isServed {
            try start()
        }
    }

    private static func discovered(in path: String, plainFiles: Bool) -> String {
        let plain = plainFiles ? ", plain-file: '\(path)/plain/{name}.log'" : ""
        return "consoles: [{ path: '\(path)/vms/{name}.sock'\(plain) }]"
    }

    deinit {
        stop()
    }

    var path: String { folder.path }
    var configuration: String { path + "/guestlog.yaml" }
    var socket: String { runtime + "/guestlog.sock" }
    var store: Store { Store(root: storePath) }

    // MARK: - The daemon

    private static let isServing = "serves"

    /// Starts the daemon and waits until it answers.
    func start(_ program: String = Program.guestlog, under keeper: [String] = []) throws {
        let before = servings
        launch(program, under: keeper)
        awaitServing(after: before)
    }

    /// Starts the daemon without waiting for it, as where its store hangs. `keeper` is a command that runs it, such as
    /// `keep`.
    func launch(_ program: String = Program.guestlog, under keeper: [String] = []) {
        isKept = !keeper.isEmpty
        daemon = ChildProcess(keeper + [program, "serve", "--config", configuration], name: "daemon", in: path)
    }

    /// The command that runs a daemon under a keeper.
    var keep: [String] { [Program.guestlog, "keep", "--config", configuration, "--"] }

    private var isKept = false

    /// Waits until a daemon serves that started after `before` others; returns whether one does.
    @discardableResult
    func awaitServing(after before: Int) -> Bool {
        let isServing =
            eventually { daemon?.hasEnded ?? true || servings > before && (try? UnixSocket.connect(to: socket)) != nil }
            && daemon?.hasEnded == false
        #expect(isServing, "the daemon does not answer: \(daemon?.standardError ?? "")")
        return isServing
    }

    /// The number of daemons that have begun to serve here.
    var servings: Int {
        FileText.text(path + "/daemon.err").split(separator: "\n").count { $0.contains(Self.isServing) }
    }

    /// The process that serves, or is about to: the daemon itself, or the one that its keeper runs now.
    var serving: pid_t? {
        guard let daemon, !daemon.hasEnded else {
            return nil
        }
        guard isKept else {
            return daemon.process
        }
        let children = FileText.procText("/proc/\(daemon.process)/task/\(daemon.process)/children")
        return children.split(separator: " ").first.flatMap { pid_t($0) }
    }

    /// Kills the process that serves; its keeper, if there is one, starts the next.
    func killServing() {
        if let serving {
            kill(serving, SIGKILL)
        }
    }

    /// Kills a daemon without a keeper, and waits until it has let go of everything.
    func killDaemon() {
        killServing()
        #expect(eventually { daemon?.hasEnded ?? true })
    }

    /// Kills the daemon, whose program is the link `program`, and lets the next one begin only after `body`.
    func killServing(replacing program: String, during body: () -> Void) {
        let aside = path + "/aside"
        FileText.write("#!/bin/sh\nexit 1\n", to: aside)
        chmod(aside, 0o755)
        rename(aside, program)
        let before = servings
        killServing()
        body()
        symlink(Program.guestlog, aside)
        rename(aside, program)
        awaitServing(after: before)
    }

    /// Stops the daemon with `signal` and waits for its end. A keeper ends too.
    func stop(_ signal: Int32 = SIGTERM) {
        let serving = serving
        daemon?.stop(signal)
        if isKept, let serving {
            // A daemon whose keeper was killed, or could not end it.
            kill(serving, SIGKILL)
        }
        daemon = nil
    }

    /// Has the daemon replace its image, and waits until the new one serves.
    func replace() {
        let before = servings
        daemon?.signal(SIGUSR2)
        awaitServing(after: before)
    }

    // MARK: - The command line

    /// Where a command reads the log.
    enum Way: CaseIterable {
        case store, socket
    }

    /// Starts a command with the options for this site.
    func begin(_ words: [String], by way: Way = .store, name: String) -> ChildProcess {
        ChildProcess([Program.guestlog] + words + options(way), name: name, in: path)
    }

    /// The options for this site.
    func options(_ way: Way) -> [String] {
        way == .store ? ["--config", configuration] : ["--config", configuration, "--socket", socket]
    }

    /// The result of a command.
    struct Answer {
        let status: Int32
        let text: String
        let standardError: String
        let bytes: [UInt8]
    }

    private var commands = 0

    /// Runs a command to its end.
    func guestlog(_ words: String..., by way: Way = .store) -> Answer {
        guestlog(words, by: way)
    }

    func guestlog(_ words: [String], by way: Way = .store) -> Answer {
        commands += 1
        let child = begin(words, by: way, name: "command-\(commands)")
        let status = child.wait()
        return Answer(status: status, text: child.text, standardError: child.standardError, bytes: child.output)
    }

    // MARK: - What is stored

    /// The stored contents of a VM's console.
    func stored(_ vm: String) throws -> StoredText {
        try StoredText(of: StreamID(vm: vm, stream: .console0), in: store)
    }

    /// The folder of a VM's console.
    func streamFolder(_ vm: String) -> String { storePath + "/" + vm + "/console0" }

    /// The stored contents, read by zstd and cat only.
    func concatenated(_ vm: String) -> [UInt8] {
        let folder = streamFolder(vm)
        let script = """
            for segment in *.log.zst; do [ ! -e "$segment" ] || zstdcat "$segment"; done
            for active in *.log; do [ ! -e "$active" ] || cat "$active"; done
            """
        commands += 1
        let shell = ChildProcess(["sh", "-euc", "cd '\(folder)'\n" + script], name: "cat-\(commands)", in: path)
        #expect(shell.wait() == 0, "\(shell.standardError)")
        return shell.output
    }

    /// Waits until the stored contents of `vm` contain `text`.
    func sees(_ text: String, from vm: String, within seconds: Double = 60) throws -> Bool {
        let wanted = Array(text.utf8)
        return try eventually(within: seconds) { try stored(vm).bytes.firstRange(of: wanted) != nil }
    }
}
