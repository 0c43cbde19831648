// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import LogModel
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import guestlog_agent

@Suite(.blocking) struct AgentSourceTests {
    @Test("the kernel's records have their numbers, and overwritten ones are counted exactly")
    func kernel() throws {
        var records: [GuestRecord] = []
        let log = try KernelLog(at: "/dev/null", after: 4) { records.append($0) }
        for number in [3, 4, 5, 6, 1006, 1007] {
            Array("30,\(number),2000000,-;m\(number)\n SUBSYSTEM=net\n".utf8).withUnsafeBytes { log.receive($0) }
        }
        #expect(records.map(\.kernelSequence) == [5, 6, nil, 1006, 1007])
        #expect(records.map(\.lost) == [0, 0, 999, 0, 0])
        #expect(records[0].facility == 3 && records[0].severity == .informational && records[0].monotonic == 2_000_000)
        #expect(records[0].fields == [GuestRecord.Field(Array("_KERNEL_SUBSYSTEM".utf8), Array("net".utf8))])
    }

    @Test("a first record that is not the first of the boot is no loss, unless an earlier one was stored")
    func laterKernel() throws {
        var records: [GuestRecord] = []
        let log = try KernelLog(at: "/dev/null", after: nil) { records.append($0) }
        Array("6,500,1,-;x\n".utf8).withUnsafeBytes { log.receive($0) }
        #expect(records.map(\.lost) == [0] && records.map(\.kernelSequence) == [500])
    }

    @Test("the position in the kernel's log is that of the last stored record, and is valid in its boot only")
    func position() {
        let folder = TemporaryFolder()
        var position = PositionFile<UInt64>("k", in: folder.path + "/state", boot: "b1")
        #expect(position.stored == nil)
        position.note(10, at: 1, first: 1)
        position.note(11, at: 5, first: 1)
        position.note(12, at: 6, first: 1)
        position.advance(to: 1)
        #expect(position.stored == nil)
        position.advance(to: 6)
        position.save()
        #expect(PositionFile<UInt64>("k", in: folder.path + "/state", boot: "b1").stored == 11)
        #expect(PositionFile<UInt64>("k", in: folder.path + "/state", boot: "b2").stored == nil)
        position.advance(to: 100)
        #expect(position.stored == 12)
    }

    @Test("a position that cannot be written is a problem until it can")
    func positionProblem() throws {
        let folder = TemporaryFolder()
        _ = try StoredFile(folder.path + "/file", .create, on: LinuxFileSystem())
        var position = PositionFile<UInt64>("k", in: folder.path + "/file/state", boot: "b")
        position.note(10, at: 1, first: 1)
        position.advance(to: 2)
        position.save()
        #expect(position.problem != nil)
        #expect(unlink(folder.path + "/file") == 0)
        position.save()
        #expect(position.problem == nil)
    }

    @Test("a second agent does not get the folder of the first, until that has ended")
    func lockedState() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/state"
        var first: StateFolder? = try StateFolder(at: path)
        let error = #expect(throws: SystemError.self) { _ = try StateFolder(at: path) }
        #expect(error?.code == EWOULDBLOCK && "\(String(describing: error))".contains("another guestlog-agent"))
        withExtendedLifetime(first) {}
        first = nil
        #expect(throws: Never.self) { _ = try StateFolder(at: path) }
    }

    @Test("while the host is away the marks in memory are those of the spooled records, and one of the dropped ones")
    func boundedMarks() {
        var spool = Spool(limit: 10_000)
        var position = PositionFile<UInt64>("k", in: "/nowhere", boot: "b")
        for number in 1...10_000 as ClosedRange<UInt64> {
            position.note(number, at: spool.nextOrdinal, first: spool.firstOrdinal)
            spool.append(GuestRecord())
        }
        #expect(spool.dropped > 0 && position.count <= spool.count + 2)
        position.advance(to: spool.firstOrdinal)
        #expect(position.stored == spool.dropped)
        // Records that are not spooled.
        for number in 20_000...30_000 as ClosedRange<UInt64> {
            position.note(number, at: spool.nextOrdinal, first: spool.firstOrdinal)
        }
        #expect(position.count <= spool.count + 1)
        position.advance(to: spool.nextOrdinal + 1)
        #expect(position.stored == 30_000 && position.count == 0)
    }

    @Test("after a return to a snapshot the position goes on with what the host stores in the new session")
    func positionAfterSnapshot() {
        let count = Mutex<UInt64>(0)
        var session = AgentSession(spoolLimit: 1 << 20, program: "test") {
            SessionID(
                0,
                count.withLock { count in
                    count += 1
                    return count
                }
            )
        }
        var position = PositionFile<UInt64>("k", in: "/nowhere", boot: "b")
        func add(_ numbers: ClosedRange<UInt64>) {
            for number in numbers {
                position.note(number, at: session.spool.nextOrdinal, first: session.spool.firstOrdinal)
                session.append(GuestRecord(), at: 0)
            }
        }
        func receive(_ messages: CollectorMessage...) {
            for message in messages {
                var frame: [UInt8] = []
                GuestFrame.append(message.encoded, to: &frame)
                _ = session.receive(frame, at: 0)
                position.advance(to: session.spool.firstOrdinal)
                while session.nextFrame(at: 0, isFlushing: true) != nil {}
            }
        }
        add(1...5)
        session.connected(at: 0)
        receive(.welcome(session: SessionID(0, 1), acknowledged: 0), .acknowledgement(4))
        #expect(position.stored == 4)
        session.disconnected()
        add(6...7)
        session.connected(at: 0)
        // The host has more of the session than this agent, which was set back.
        receive(.welcome(session: SessionID(0, 1), acknowledged: 1000))
        #expect(position.stored == 4)
        receive(.welcome(session: SessionID(0, 2), acknowledged: 0), .acknowledgement(2))
        #expect(position.stored == 6)
        add(8...8)
        receive(.acknowledgement(3))
        #expect(position.stored == 7)
        receive(.acknowledgement(4))
        #expect(position.stored == 8 && session.spool.isEmpty)
    }

    @Test("datagrams become records; one that is too long is cut, and flagged")
    func syslog() throws {
        let folder = TemporaryFolder()
        var records: [GuestRecord] = []
        let socket = try SyslogSocket(at: folder.path + "/log", inherited: nil) { records.append($0) }
        var status = stat()
        #expect(stat(folder.path + "/log", &status) == 0 && status.st_mode & 0o777 == 0o666)
        let client = try DatagramClient(folder.path + "/log")
        client.send("<27>app[7]: no time")
        client.send(#"<165>1 2003-08-24T05:14:15Z h app 7 ID [e@1 a="b"] structured"#)
        client.send("<13>" + String(repeating: "x", count: 70_000))
        socket.handle(.readable)
        #expect(records.count == 3)
        #expect(records[0].severity == .error && records[0].facility == 3 && records[0].time != nil)
        #expect(records[1].fields == [GuestRecord.Field(Array("e@1.a".utf8), Array("b".utf8))])
        #expect(records[1].time == 1_061_702_055_000_000_000 && records[1].tag == Array("app".utf8))
        #expect(records[2].isTruncated && records[2].content.count == 65_532 && !records[1].isTruncated)
    }

    /// A stand-in for journalctl, which prints entries after the cursor that it is given, and ends.
    private func journalctl(_ folder: TemporaryFolder) throws -> [String] {
        let script = """
            after=0
            for word in "$@"; do
                case $word in --after-cursor=*) after=$((0x${word##*i=})) ;; esac
            done
            number=$after
            while [ $number -lt $((after + 3)) ]; do
                number=$((number + 1))
                printf '__CURSOR=s=\(String(repeating: "a", count: 32));i=%x;b=1\\n__REALTIME_TIMESTAMP=1700000000000000\\n' $number
                printf '_TRANSPORT=%s\\nPRIORITY=4\\nMESSAGE=m%d\\nX=1\\nX=2\\n\\n' $([ $number = 2 ] && echo kernel || echo stdout) $number
            done
            """
        try LinuxFileSystem().replace("journalctl", in: folder.path, with: Array(script.utf8))
        return ["sh", folder.path + "/journalctl"]
    }

    @Test("the journal is followed after the last entry, also when journalctl ends; the kernel's messages are left out")
    func journal() throws {
        let folder = TemporaryFolder()
        let loop = try EventLoop()
        var records: [GuestRecord] = []
        var marks: [JournalMark] = []
        var problems: [String] = []
        let follower = JournalFollower(after: nil, command: try journalctl(folder), on: loop) {
            problems.append($0)
        } onRecord: { record, mark in
            records.append(record)
            marks.append(mark)
            if records.count == 5 {
                loop.stop()
            }
        }
        follower.begin()
        loop.run()
        follower.end()
        #expect(
            records.prefix(5).map { String(decoding: $0.content, as: UTF8.self) } == ["m1", "m3", "m4", "m5", "m6"]
        )
        #expect(records[0].severity == .warning && records[0].time == 1_700_000_000_000_000_000)
        let fields = records[0].fields.map { String(decoding: $0.name + [UInt8(ascii: "=")] + $0.value, as: UTF8.self) }
        #expect(fields == ["_TRANSPORT=stdout", "X=1", "X=2"])
        #expect(marks[4].description == "s=\(String(repeating: "a", count: 32));i=6")
        #expect(JournalMark(marks[4].description) == marks[4])
        #expect(!problems.isEmpty && problems.allSatisfy { $0.contains("journalctl has ended") })
    }

    @Test("journalctl that is started while reading is paused is not read before it goes on")
    func pausedJournal() throws {
        let folder = TemporaryFolder()
        let loop = try EventLoop()
        let script = """
            printf '__CURSOR=s=\(String(repeating: "a", count: 32));i=1;b=1\\n__REALTIME_TIMESTAMP=1700000000000000\\n'
            printf 'MESSAGE=m1\\n\\n'
            : >\(folder.path)/printed
            exec sleep 600
            """
        try LinuxFileSystem().replace("journalctl", in: folder.path, with: Array(script.utf8))
        var count = 0
        let follower = JournalFollower(after: nil, command: ["sh", folder.path + "/journalctl"], on: loop) { _ in
        } onRecord: { _, _ in
            count += 1
            loop.stop()
        }
        follower.pause(true)
        follower.begin()
        var countWhenPrinted: Int?
        func awaitPrinted() {
            guard access(folder.path + "/printed", F_OK) == 0 else {
                loop.schedule(afterMicroseconds: 1000) { awaitPrinted() }
                return
            }
            // What can be read is reported in the turn before this timer's.
            loop.schedule(afterMicroseconds: 1000) {
                countWhenPrinted = count
                follower.pause(false)
            }
        }
        awaitPrinted()
        loop.run()
        follower.end()
        #expect(countWhenPrinted == 0 && count == 1)
    }

    @Test("the mode follows from who serves which socket")
    func modes() {
        func mode(
            _ requested: String?,
            journal: Bool = false,
            readable: Bool = false,
            served: [String] = []
        ) -> AgentMode {
            let services = AgentMode.DetectedServices(
                hasJournal: journal,
                canReadJournal: readable,
                isServed: { served.contains($0) }
            )
            return AgentMode(requested: requested, services)
        }
        #expect(mode(nil, journal: true, readable: true) == .journal)
        #expect(mode(nil, readable: true) == .daemon(path: "/dev/log"))
        #expect(
            mode(AgentMode.journalSocket, journal: true, readable: true) == .forwarded(path: AgentMode.journalSocket)
        )
        #expect(mode(nil) == .daemon(path: "/dev/log"))
        #expect(mode(nil, served: ["/dev/log"]) == .occupied(path: "/dev/log"))
        #expect(mode(nil, journal: true, served: ["/dev/log"]) == .forwarded(path: "/run/systemd/journal/syslog"))
        #expect(mode(nil, journal: true, served: [AgentMode.journalSocket]) == .occupied(path: AgentMode.journalSocket))
        #expect(mode("none", journal: true) == .off)
        #expect(mode("/run/log") == .daemon(path: "/run/log"))
    }

    @Test("the command line is parsed, and errors name the option and what is possible")
    func options() throws {
        let options = try AgentOptions([
            "--to", "vsock:2:1234", "--spool=8M", "--no-kernel", "--syslog-socket", "/x", "--user", "nobody",
        ])
        #expect(options.target == .vsock(context: 2, port: 1234) && options.spool == 8 << 20 && !options.readsKernel)
        #expect(options.syslogSocket == "/x" && options.user == "nobody")
        #expect(try AgentOptions(["--to=serial:/dev/vport0p1"]).target == .serial(path: "/dev/vport0p1"))
        #expect(try AgentOptions(["--protocol", "chromeos"]).wireProtocol == .chromeOS)
        #expect(try AgentOptions([]).target == .vsock(context: 2, port: 9999))
        for wrong in [
            ["--to", "vsock:2"], ["--to", "unix:relative"], ["--to"], ["--spool", "1K"], ["--spool", "x"], ["--frob"],
            ["--syslog-socket", "x"], ["--protocol", "grpc"], ["--spool", "99999999999999999999M"],
        ] {
            #expect(throws: UsageError.self, "\(wrong)") { try AgentOptions(wrong) }
        }
    }

    @Test("of the process's mappings, those of code are found")
    func code() {
        let maps = """
            00410000-00a88000 r-xp 00000000 fe:00 1196115                            /usr/sbin/guestlog-agent
            00a89000-00aaa000 r--p 00678000 fe:00 1196115                            /usr/sbin/guestlog-agent
            00aaa000-00c00000 rw-p 00699000 fe:00 1196115                            /usr/sbin/guestlog-agent
            3e407000-3e429000 rw-p 00000000 00:00 0                                  [heap]
            7f7e4033e000-7f7e40340000 r-xp 00000000 00:00 0                          [vdso]
            bad r-xp 0 0 0 /x
            """
        #expect(ProgramCode.ranges(in: Array(maps.utf8)) == [0x410000..<0xa88000])
        ProgramCode.release()
    }
}

/// A program that logs.
private struct DatagramClient {
    private let socket: Int32
    private var address = sockaddr_un()

    init(_ path: String) throws {
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    }

    func send(_ text: String) {
        let bytes = Array(text.utf8)
        var address = address
        let sent = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(socket, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(sent == bytes.count)
    }
}
