import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

/// A daemon in a process of its own, killed and started again on the same console.
private final class KilledDaemon {
    private let folder: String
    private let console: Int32
    private var process: pid_t = 0

    init(folder: String, console: Int32) {
        self.folder = folder
        self.console = console
    }

    /// The program, which is built beside the test bundle.
    private static let program: String = {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let folder = bundle.lastIndex(of: "/").map { String(bundle[...$0]) } ?? ""
        return folder + "CrashDaemon"
    }()

    func start(fatalCall: Int? = nil) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, console, 3)
        var arguments: [UnsafeMutablePointer<CChar>?] = [strdup(Self.program), strdup(folder)]
        if let fatalCall {
            arguments.append(strdup(String(fatalCall)))
        }
        arguments.append(nil)
        let code = posix_spawn(&process, Self.program, &actions, nil, arguments, environ)
        #expect(code == 0, "cannot run \(Self.program): \(String(cString: strerror(code)))")
        arguments.forEach { free($0) }
        posix_spawn_file_actions_destroy(&actions)
    }

    func kill(_ signal: Int32 = SIGKILL) {
        Glibc.kill(process, signal)
        wait()
    }

    @discardableResult
    func wait() -> Int32 {
        var status: Int32 = 0
        waitpid(process, &status, 0)
        return status
    }

    /// Whether the process has ended by itself.
    func hasEnded() -> Bool {
        var status: Int32 = 0
        return waitpid(process, &status, WNOHANG) == process
    }
}

@Suite(.serialized) struct CrashTests {
    private let stream = StreamID(vm: "vm", stream: .console0)

    private func stored(_ folder: TemporaryFolder) throws -> StoredText {
        try StoredText(of: stream, in: Store(root: folder.path + "/store"))
    }

    /// What must hold of the log at any time: lines in order, none doubled, no NUL, nothing of what was there lost.
    private func check(_ before: [UInt8], _ after: StoredText, _ how: String = "") {
        #expect(after.bytes.starts(with: before), "committed bytes were lost or changed \(how)")
        #expect(!after.bytes.contains(0), "a NUL that was never written \(how)")
        let numbers = NumberedLines.numbers(in: after.bytes)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "a line is doubled or out of order \(how)")
        #expect(after.missing.isEmpty)
    }

    @Test("killed at 300 random moments under load, nothing committed is lost and nothing is doubled")
    func randomKills() throws {
        let folder = TemporaryFolder()
        let console = try Descriptor.socketPair()
        try console.first.setNonBlocking(false)
        let daemon = KilledDaemon(folder: folder.path, console: console.second.raw)
        let seed = getenv("GUESTLOG_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let lines = 400_000
        let guest = TalkingGuest(console.first.raw, lines: lines)
        var committed: [UInt8] = []
        let kills = 300
        for _ in 0..<kills {
            daemon.start()
            usleep(UInt32.random(in: 0..<30_000, using: &generator))
            daemon.kill()
            let now = try stored(folder)
            check(committed, now, "GUESTLOG_SEED=\(seed)")
            committed = now.bytes
        }
        daemon.start()
        guest.join()
        #expect(try eventually { try lastLine(folder) == lines - 1 })
        daemon.kill(SIGTERM)
        let final = try stored(folder)
        check(committed, final)
        // Each kill may cost the one read in progress.
        let lost = NumberedLines.text(lines).count - final.bytes.count
        #expect(lost <= kills * (64 << 10), "\(lost) bytes lost, GUESTLOG_SEED=\(seed)")
    }

    private func lastLine(_ folder: TemporaryFolder) throws -> Int? {
        NumberedLines.numbers(in: Array(try stored(folder).bytes.suffix(4096))).last
    }

    @Test("killed inside every call that changes a file, nothing committed is lost and nothing is doubled")
    func killedAtEveryCall() throws {
        let folder = TemporaryFolder()
        let console = try Descriptor.socketPair()
        try console.first.setNonBlocking(false)
        let daemon = KilledDaemon(folder: folder.path, console: console.second.raw)
        let lines = 60_000
        let guest = TalkingGuest(console.first.raw, lines: lines)
        var committed: [UInt8] = []
        var call = 1
        while call < 400 {
            daemon.start(fatalCall: call)
            let ended = try eventually(within: 20) {
                if daemon.hasEnded() {
                    return true
                }
                return try lastLine(folder) == lines - 1
            }
            #expect(ended)
            if try lastLine(folder) == lines - 1 {
                daemon.kill()
                break
            }
            let now = try stored(folder)
            check(committed, now)
            committed = now.bytes
            call += 1
        }
        daemon.start()
        guest.join()
        #expect(try eventually { try lastLine(folder) == lines - 1 })
        daemon.kill(SIGTERM)
        check(committed, try stored(folder))
    }
}
