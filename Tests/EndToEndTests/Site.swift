import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

/// A host with guestlog on it: a folder with a configuration and a store, a runtime folder, and a daemon that serves it.
///
/// Any socket `vms/NAME.sock` in it is the console of the VM NAME.
final class Site {
    private let folder = TemporaryFolder()
    private let memory = TemporaryFolder(parent: "/dev/shm")
    private(set) var daemon: ChildProcess?

    /// A site whose configuration has `extra` added; a daemon serves it unless it is told otherwise. `consoles` gives
    /// other consoles than those in `vms`, for a site at the path it gets.
    init(
        plainFiles: Bool = false,
        extra: String = "",
        consoles: ((String) -> String)? = nil,
        isServed: Bool = true
    ) throws {
        mkdir(path + "/vms", 0o755)
        FileText.write(
            """
            store: \(path)/store
            runtime: \(runtime)
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
        daemon?.stop()
    }

    var path: String { folder.path }
    var configuration: String { path + "/guestlog.yaml" }
    /// The runtime folder: on tmpfs, as /run is. On a disk the guests would wait for that.
    var runtime: String { memory.path }
    var socket: String { runtime + "/guestlog.sock" }
    var store: Store { Store(root: path + "/store") }

    // MARK: - The daemon

    private static let isServing = "serves"

    /// Starts the daemon and waits until it answers.
    func start(_ program: String = Program.guestlog) throws {
        let before = servings
        daemon = ChildProcess([program, "serve", "--config", configuration], name: "daemon", in: path)
        waitUntilServing(after: before)
    }

    private func waitUntilServing(after before: Int) {
        #expect(
            eventually { servings > before && (try? UnixSocket.connect(to: socket)) != nil },
            "the daemon does not answer: \(daemon?.complaints ?? "")"
        )
    }

    /// How often a daemon has begun here.
    private var servings: Int {
        FileText.text(path + "/daemon.err").split(separator: "\n").count { $0.contains(Self.isServing) }
    }

    /// Stops the daemon with `signal`; it is awaited.
    func stop(_ signal: Int32 = SIGTERM) {
        daemon?.stop(signal)
        daemon = nil
    }

    /// Has the daemon replace its image, and waits until the new one serves.
    func replace() {
        let before = servings
        daemon?.signal(SIGUSR2)
        waitUntilServing(after: before)
    }

    // MARK: - The command line

    /// Where a command looks for the log.
    enum Way: CaseIterable {
        case store, socket
    }

    /// A command that goes on; the last words lead it to this site.
    func begin(_ words: [String], by way: Way = .store, name: String) -> ChildProcess {
        ChildProcess([Program.guestlog] + words + place(way), name: name, in: path)
    }

    /// The options that lead a command to this site.
    func place(_ way: Way) -> [String] {
        way == .store ? ["--config", configuration] : ["--config", configuration, "--socket", socket]
    }

    /// What a command came to.
    struct Answer {
        let status: Int32
        let text: String
        let complaints: String
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
        return Answer(status: status, text: child.text, complaints: child.complaints, bytes: child.output)
    }

    // MARK: - What is stored

    /// What a VM's console has stored.
    func stored(_ vm: String) throws -> StoredText {
        try StoredText(of: StreamID(vm: vm, stream: .console0), in: store)
    }

    /// The folder of a VM's console.
    func streamFolder(_ vm: String) -> String { path + "/store/" + vm + "/console0" }

    /// What is stored, read by nobody but zstd and cat.
    func concatenated(_ vm: String) -> [UInt8] {
        let folder = streamFolder(vm)
        let script = """
            for segment in *.log.zst; do [ ! -e "$segment" ] || zstdcat "$segment"; done
            for active in *.log; do [ ! -e "$active" ] || cat "$active"; done
            """
        commands += 1
        let shell = ChildProcess(["sh", "-euc", "cd '\(folder)'\n" + script], name: "cat-\(commands)", in: path)
        #expect(shell.wait() == 0, "\(shell.complaints)")
        return shell.output
    }

    /// Waits until what is stored of `vm` contains `text`.
    func sees(_ text: String, from vm: String, within seconds: Double = 60) throws -> Bool {
        let wanted = Array(text.utf8)
        return try eventually(within: seconds) { try stored(vm).bytes.firstRange(of: wanted) != nil }
    }
}
