// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

/// A daemon in a process of its own, which is killed and restarted on the same console.
private final class KilledDaemon {
    private let folder: String
    private let console: Int32
    private var process: pid_t = 0

    init(folder: String, console: Int32) {
        self.folder = folder
        self.console = console
    }

    /// The program, built beside the test bundle.
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

    func hasEnded() -> Bool {
        var status: Int32 = 0
        return waitpid(process, &status, WNOHANG) == process
    }
}

/// The log as read so far: everything read must stay.
private struct SeenLog {
    private let store: Store
    private let stream = StreamID(vm: "vm", stream: .console0)
    private var cursor = Cursor.start
    private(set) var bytes: [UInt8] = []

    init(_ folder: TemporaryFolder) {
        store = Store(root: folder.path + "/store")
    }

    /// Reads new entries, with a new reader as in a new process.
    mutating func poll() throws {
        guard store.vm(in: "vm") != nil, try !store.streams(of: "vm").isEmpty else {
            return
        }
        let follower = StreamBatches(store.reader(of: stream), from: cursor)
        while let batch = try follower.next() {
            #expect(batch.missing.isEmpty, "bytes \(batch.missing) are gone")
            bytes.append(contentsOf: batch.block.text[Int(batch.start - batch.block.offset)...])
        }
        cursor = follower.cursor
    }

    var lastLine: Int? { NumberedLines.numbers(in: Array(bytes.suffix(4096))).last }

    /// Checks the whole log: a reader finds now what was read before; lines are in order, none twice, no NUL.
    func check(_ how: String) throws {
        let whole = try StoredText(of: stream, in: store)
        // Compared before: a failure message would contain millions of bytes.
        let isSame = whole.bytes == bytes
        #expect(isSame, "committed bytes were lost or changed: \(whole.bytes.count) now, \(bytes.count) seen; \(how)")
        let hasNUL = bytes.contains(0)
        #expect(!hasNUL, "a NUL that was never written; \(how)")
        let numbers = NumberedLines.numbers(in: bytes)
        let wrong = zip(numbers, numbers.dropFirst()).first { $0 >= $1 }
        #expect(wrong == nil, "a line is doubled or out of order; \(how)")
    }
}

@Suite(.blocking, .serialized) struct CrashTests {
    @Test("after 300 SIGKILLs at random moments under load, nothing committed is lost or duplicated")
    func randomKills() throws {
        let folder = TemporaryFolder()
        let console = try Descriptor.socketPair()
        try console.first.setNonBlocking(false)
        let daemon = KilledDaemon(folder: folder.path, console: console.second.raw)
        let seed = getenv("GUESTLOG_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let guest = TalkingGuest(console.first.raw, pace: 500)
        var log = SeenLog(folder)
        let kills = 300
        for _ in 0..<kills {
            daemon.start()
            usleep(UInt32.random(in: 0..<30_000, using: &generator))
            daemon.kill()
            try log.poll()
        }
        daemon.start()
        guest.stop()
        guest.join("the daemon killed again and again")
        #expect(
            try eventually {
                try log.poll()
                return log.lastLine == guest.lines - 1
            }
        )
        daemon.kill(SIGTERM)
        try log.check("GUESTLOG_SEED=\(seed)")
        #expect(guest.bytes == log.bytes.count, "bytes were lost, GUESTLOG_SEED=\(seed)")
    }

    @Test("the end of a boot that was announced before a SIGKILL is marked once, by the next process")
    func announcedEnd() throws {
        let folder = TemporaryFolder()
        let console = try Descriptor.socketPair()
        try console.first.setNonBlocking(false)
        let daemon = KilledDaemon(folder: folder.path, console: console.second.raw)
        daemon.start()
        let text = Array("[    9.000000] Kernel panic - not syncing: x\n".utf8)
        _ = text.withUnsafeBytes { write(console.first.raw, $0.baseAddress, $0.count) }
        var log = SeenLog(folder)
        #expect(
            try eventually {
                try log.poll()
                return log.bytes == text
            }
        )
        daemon.kill()
        daemon.start()
        let stream = StreamID(vm: "vm", stream: .console0)
        let store = Store(root: folder.path + "/store")
        #expect(try eventually { try StoredText(of: stream, in: store).boots.contains { $0.event == .panic } })
        daemon.kill(SIGTERM)
        let markers = try StoredText(of: stream, in: store).markers.filter { $0.detail.boot?.event == .panic }
        #expect(markers.map(\.index) == [text.count])
    }

    @Test("after SIGKILL inside every call that changes a file, nothing committed is lost or duplicated")
    func killedAtEveryCall() throws {
        let folder = TemporaryFolder()
        let console = try Descriptor.socketPair()
        try console.first.setNonBlocking(false)
        let daemon = KilledDaemon(folder: folder.path, console: console.second.raw)
        let guest = TalkingGuest(console.first.raw, pace: 2000)
        var log = SeenLog(folder)
        for call in 1...200 {
            daemon.start(fatalCall: call)
            #expect(eventually { daemon.hasEnded() }, "it did not come to call \(call)")
            try log.poll()
        }
        daemon.start()
        guest.stop()
        guest.join("the daemon killed again and again")
        #expect(
            try eventually(within: 120) {
                try log.poll()
                return log.lastLine == guest.lines - 1
            }
        )
        daemon.kill(SIGTERM)
        try log.check("")
    }
}
