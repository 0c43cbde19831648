// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Libvirt
import LogModel
import LogStore
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import VirtLogManager

/// The messages on the wire, compared with those between Debian 12's libvirtd and virtlogd 9.0.0.
@Suite(.blocking) struct WireTests {
    private func words(_ values: UInt32...) -> [UInt8] {
        values.flatMap { RawClient.words($0) }
    }

    private func says(_ text: String, to pipe: Int32) {
        let bytes = Array(text.utf8)
        #expect(write(pipe, bytes, bytes.count) == bytes.count)
    }

    @Test("an opened log: the result's bytes, and a blocking pipe to write to, which follows separately")
    func open() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        client.call(1, RawClient.owner + RawClient.text(log) + words(0))
        let answer = client.message()
        var status = stat()
        #expect(stat(log, &status) == 0)
        #expect(status.st_mode & 0o7777 == 0o600)
        let header = words(0x30, 0x8753_9319, 1, 1, 5, 0, 0)
        #expect(answer == header + words(1) + RawClient.long(UInt64(status.st_ino)) + RawClient.long(0))
        let pipe = try #require(client.descriptor())
        let flags = gl_fcntl(pipe, F_GETFL, 0)
        #expect(flags & O_ACCMODE == O_WRONLY)
        #expect(flags & O_NONBLOCK == 0)
        close(pipe)
    }

    @Test("output is in the file before its position is returned, and can be read from there")
    func positionAndRead() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        let (inode, offset, pipe) = try #require(client.open(log))
        defer { close(pipe) }
        #expect(offset == 0)
        var written = 0
        for number in 0..<50 {
            let line = "line \(number)\n"
            says(line, to: pipe)
            written += line.utf8.count
            #expect(try #require(client.position(log)) == (inode, UInt64(written)))
        }
        says("qemu: \0 invalid option\n", to: pipe)
        #expect(client.read(log, inode, UInt64(written)) == Array("qemu: \0 invalid option\n".utf8))
        #expect(client.read(log, inode, UInt64(written), maximum: 4) == Array("qemu".utf8))
        #expect(client.read(log, inode, 1 << 40) == [])
        #expect(try host.stored("console0").bytes.count == written + 23)
    }

    @Test("reading continues over rotated files, and begins at the oldest when its file is gone")
    func readsBackups() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        let (inode, _, pipe) = try #require(client.open(log))
        defer { close(pipe) }
        let line = String(repeating: "x", count: 99) + "\n"
        for _ in 0..<100 {
            says(line, to: pipe)
        }
        let all = [log + ".1", log + ".0", log].flatMap { path in FileBytes.of(path) }
        #expect(client.position(log) != nil)
        #expect(
            client.read(log, inode, 100)
                == Array([log + ".1", log + ".0", log].flatMap { FileBytes.of($0) }.dropFirst(100))
        )
        #expect(all.count <= 10_000)
        #expect(client.read(log, 1, 77).map { $0.count } == 10_000)
        #expect(client.read(host.path + "/none.log", 1, 0) == nil)
    }

    @Test("a log is opened once: the error's bytes are virtlogd's")
    func busy() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        let (_, _, pipe) = try #require(client.open(log))
        #expect(client.open(log) == nil)
        client.call(1, RawClient.owner + RawClient.text(log) + words(0))
        let message = RawClient.text("Cannot open log file: '\(log)': Device or resource busy")
        let error = words(38, 63, 1) + message + words(2, 0, 1) + RawClient.text("%s") + words(1) + message
        let payload = error + words(0, 16, UInt32.max, 0)
        #expect(client.message() == words(UInt32(28 + payload.count), 0x8753_9319, 1, 1, 1, 2, 1) + payload)
        // It stays open as long as the pipe.
        close(pipe)
        #expect(eventually { client.open(log).map { close($0.pipe) } != nil })
    }

    @Test("truncating removes the files that may be backups; the store keeps their contents")
    func truncate() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        for name in [log, log + ".0", log + ".2", log + ".3"] {
            FileBytes.put("old\n", to: name)
        }
        let first = try #require(client.open(log))
        #expect(first.offset == 4)
        says("kept\n", to: first.pipe)
        #expect(client.position(log)?.offset == 9)
        close(first.pipe)
        let again = try #require(client.reopen(log, flags: 1))
        #expect(again.offset == 0)
        #expect(again.inode != first.inode || FileBytes.of(log) == [])
        #expect([".0", ".2", ".3"].map { access(log + $0, F_OK) == 0 } == [false, false, true])
        close(again.pipe)
        #expect(try host.stored("console0").bytes == Array("kept\n".utf8))
    }

    @Test("boots are found in consoles, not in QEMU's own log")
    func boots() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        mkdir(host.path + "/qemu", 0o700)
        let banner = "[    0.000000] Linux version 6.1.0-13-amd64 (gcc-12) #1 SMP\n"
        let text = banner + "[    9.000000] reboot: Restarting system\n" + banner
        for (log, stream) in [("/a.log", "console0"), ("/qemu/tiny.log", "qemu")] {
            let opened = try #require(client.open(host.path + log))
            says(text, to: opened.pipe)
            close(opened.pipe)
            #expect(eventually { (try? host.stored(stream).bytes) == Array(text.utf8) })
        }
        #expect(try host.stored("console0").boots.contains { $0.event == .kernel })
        #expect(try host.stored("qemu").boots.isEmpty)
    }

    @Test(
        "a full disk closes no log: the guest continues, and its file too when there is room",
        .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root: run the tests as root")
    )
    func fullDisk() throws {
        let disk = SmallDisk(megabytes: 2)
        let host = try LogHost(limits: RotationLimits(size: 0, backups: 0))
        let client = try RawClient(host)
        let log = disk.folder.path + "/a.log"
        let (_, _, pipe) = try #require(client.open(log))
        defer { close(pipe) }
        disk.fill(leaving: 8)
        let line = String(repeating: "x", count: 1023) + "\n"
        for _ in 0..<2000 {
            says(line, to: pipe)
        }
        #expect(try #require(client.position(log)).offset < 2_048_000)
        disk.clear()
        says("there is room again\n", to: pipe)
        _ = client.position(log)
        #expect(String(decoding: FileBytes.of(log), as: UTF8.self).hasSuffix("there is room again\n"))
        // The store, on another disk, has all of it.
        #expect(try host.stored("console0").bytes.count == 2_048_020)
    }

    @Test(
        "with root's log daemon the store's files belong to its owner, who can continue them; plain files are root's",
        .enabled(if: geteuid() == 0, "needs root, who alone can act for another")
    )
    func ownership() throws {
        let user: UInt32 = 65534
        let host = try LogHost(storeUser: user)
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        let (_, _, pipe) = try #require(client.open(log))
        let line = String(repeating: "x", count: 99) + "\n"
        for _ in 0..<100 {
            says(line, to: pipe)
        }
        #expect(client.position(log) != nil)
        close(pipe)
        host.stop()
        let store = try LinuxFileSystem().everything(below: host.path + "/store")
        #expect(store.count > 5)
        #expect(store.filter { FileBytes.owner($0) != user } == [])
        #expect([log, log + ".0", log + ".1"].map(FileBytes.owner) == [0, 0, 0])
        #expect(try host.stored("console0").bytes.count == 10_000)
    }

    @Test("a VM's logs are streams of their own, whatever their names, and keep their streams while it runs")
    func streams() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        for folder in ["/a", "/a/qemu", "/b", "/b/qemu"] {
            mkdir(host.path + folder, 0o755)
        }
        let paths = [
            "/a/qemu/tiny.log", "/a/qemu/tiny-fs0-virtiofsd.log", "/b/qemu/tiny.log", "/a/serial0.log", "/x.log",
        ]
        let streams = ["qemu", "qemu-fs0-virtiofsd", "console0", "console1", "console2"]
        var pipes: [Int32] = []
        for path in paths {
            let opened = try #require(client.open(host.path + path))
            says("\(path)\n", to: opened.pipe)
            pipes.append(opened.pipe)
        }
        // A log that is closed and reopened while others are open is the same stream.
        close(pipes[3])
        #expect(client.position(host.path + paths[4]) != nil)
        let again = try #require(client.reopen(host.path + paths[3]))
        says("again\n", to: again.pipe)
        pipes[3] = again.pipe
        for (path, stream) in zip(paths, streams) {
            #expect(client.position(host.path + path) != nil)
            let text = path == paths[3] ? "\(path)\nagain\n" : "\(path)\n"
            #expect(try host.stored(stream).bytes == Array(text.utf8))
        }
        pipes.forEach { close($0) }
    }

    @Test("a message is appended to a log, open or not")
    func append() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/qemu/tiny.log"
        mkdir(host.path + "/qemu", 0o755)
        let append = RawClient.owner + RawClient.text(log) + RawClient.text("shutting down\n") + words(0)
        client.call(4, append)
        #expect(client.message() == words(32, 0x8753_9319, 1, 4, 1, 0, 0, 0))
        #expect(FileBytes.of(log) == Array("shutting down\n".utf8))
        let (_, offset, pipe) = try #require(client.open(log))
        #expect(offset == 14)
        client.call(4, append)
        #expect(client.message().count == 32)
        #expect(FileBytes.of(log).count == 28)
        close(pipe)
        #expect(try host.stored("qemu").bytes.count == 28)
    }

    @Test("a store's disk that hangs delays no call for ever, and what was written meanwhile is stored in its order")
    func hangingDisk() throws {
        let host = try LogHost(commitWait: 500_000)
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        let (inode, _, pipe) = try #require(client.open(log))
        host.fileSystem.set(.hanging)
        says("first\n", to: pipe)
        #expect(client.position(log)?.inode == inode)
        client.call(4, RawClient.owner + RawClient.text(log) + RawClient.text("message\n") + words(0))
        #expect(client.message().count == 32)
        close(pipe)
        #expect(client.read(log, inode, 1 << 40) == [])
        host.fileSystem.set(.healthy)
        let text = "first\nmessage\n"
        #expect(eventually { FileBytes.of(log) == Array(text.utf8) })
        #expect(try eventually { try host.stored("console0").bytes == Array(text.utf8) })
    }

    @Test("invalid messages get an error and have no other effect; those with an invalid length end the connection")
    func oddInput() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = RawClient.text(host.path + "/a.log")
        let program: UInt32 = 0x8753_9319
        /// The code of the error for `message`.
        func code(_ message: [UInt8]) -> [UInt8] {
            client.send(message)
            let answer = client.message()
            #expect(
                answer.count > 32 && answer[16..<20].elementsEqual(words(1)) && answer[24..<28].elementsEqual(words(1))
            )
            return Array(answer[28..<32])
        }
        func header(_ count: Int, _ program: UInt32, _ version: UInt32, _ procedure: UInt32, _ status: UInt32 = 0)
            -> [UInt8]
        {
            words(UInt32(28 + count), program, version, procedure, 0, 7, status)
        }
        #expect(code(header(0, program, 1, 9)) == words(39))
        #expect(code(header(0, 0x1234_5678, 1, 1)) == words(39))
        #expect(code(header(0, program, 2, 1)) == words(39))
        #expect(code(header(0, program, 1, 1, 1)) == words(39))
        #expect(code(header(3, program, 1, 1) + [0, 0, 0]) == words(39))
        #expect(code(header(8, program, 1, 1) + words(0xffff_ffff, 0)) == words(39))
        #expect(code(header(log.count + 4, program, 1, 2) + log + words(1)) == words(8))
        #expect(code(header(log.count + 4, program, 1, 2) + log + words(0)) == words(1))
        let tooMuch = log + RawClient.long(0) + RawClient.long(0) + RawClient.long(4_194_305) + words(0)
        #expect(code(header(tooMuch.count, program, 1, 3) + tooMuch) == words(1))
        let relative = RawClient.owner + RawClient.text("a.log") + words(0)
        #expect(code(header(relative.count, program, 1, 1) + relative) == words(8))
        // A keepalive is answered, a reply ignored.
        client.send(words(28, 0x6b65_6570, 1, 1, 2, 0, 0))
        #expect(client.message() == words(28, 0x6b65_6570, 1, 2, 2, 0, 0))
        client.send(words(28, program, 1, 1, 1, 0, 0))
        // Bytes after the arguments are ignored.
        let open = RawClient.owner + log + words(0) + [1, 2, 3]
        client.send(header(open.count, program, 1, 1) + open)
        #expect(client.message().count == 48)
        for length: UInt32 in [0, 3, 27, 0x0200_0005, .max] {
            let client = try RawClient(host)
            client.send(words(length) + [UInt8](repeating: 0, count: 32))
            #expect(client.message() == [])
        }
    }

    @Test("requests that arrive together are answered in order, also byte by byte")
    func pipelined() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        let log = host.path + "/a.log"
        let (_, _, pipe) = try #require(client.open(log))
        defer { close(pipe) }
        let payload = RawClient.text(log) + words(0)
        let calls = (10..<30).flatMap { words(UInt32(28 + payload.count), 0x8753_9319, 1, 2, 0, $0, 0) + payload }
        client.send(calls)
        for serial: UInt32 in 10..<30 {
            #expect(Array(client.message()[20..<24]) == words(serial))
        }
        for byte in calls.prefix(28 + payload.count) {
            client.send([byte])
        }
        #expect(client.message().count == 44)
    }

    @Test("paths outside the allowed folders, by '..' or by a link, are refused")
    func paths() throws {
        let folder = TemporaryFolder()
        let host = try LogHost(allowed: [folder.path])
        let client = try RawClient(host)
        for path in [host.path + "/x.log", folder.path + "/../x.log", folder.path + "x.log", "x.log", folder.path] {
            #expect(client.open(path) == nil, "\(path)")
        }
        symlink("/dev/null", folder.path + "/link.log")
        mkfifo(folder.path + "/fifo.log", 0o600)
        #expect(client.open(folder.path + "/link.log") == nil)
        #expect(client.open(folder.path + "/fifo.log") == nil)
        #expect(client.read(folder.path + "/link.log", 0, 0) == nil)
        #expect(client.read(folder.path + "/fifo.log", 0, 0) == nil)
        let good = try #require(client.open(folder.path + "/good.log"))
        close(good.pipe)
    }

    @Test("a folder that is a link is refused below an allowed folder; the allowed folder itself may be one")
    func folderLinks() throws {
        let folder = TemporaryFolder()
        let elsewhere = TemporaryFolder()
        FileBytes.put("secret\n", to: elsewhere.path + "/x.log")
        symlink(folder.path, elsewhere.path + "/allowed")
        let allowed = elsewhere.path + "/allowed"
        let host = try LogHost(allowed: [allowed])
        let client = try RawClient(host)
        symlink(elsewhere.path, folder.path + "/out")
        mkdir(folder.path + "/in", 0o755)
        symlink("in", folder.path + "/alias")
        for path in ["/out/new.log", "/out/x.log", "/alias/x.log"] {
            client.call(1, RawClient.owner + RawClient.text(allowed + path) + words(0))
            let answer = String(decoding: client.message(), as: UTF8.self)
            let words = "Unable to open file: \(allowed + path): Too many levels of symbolic links"
            #expect(answer.contains(words), "\(answer)")
            #expect(answer.contains("links are refused below \(allowed)"), "\(answer)")
            #expect(client.read(allowed + path, 0, 0) == nil)
        }
        #expect(access(elsewhere.path + "/new.log", F_OK) != 0)
        #expect(FileBytes.of(elsewhere.path + "/x.log") == Array("secret\n".utf8))
        let good = try #require(client.open(allowed + "/in/good.log"))
        says("good\n", to: good.pipe)
        #expect(client.position(allowed + "/in/good.log")?.offset == 5)
        #expect(FileBytes.of(folder.path + "/in/good.log") == Array("good\n".utf8))
        // A folder that replaces this one while the log is open is not written to.
        rename(folder.path + "/in", folder.path + "/moved")
        symlink(elsewhere.path, folder.path + "/in")
        for _ in 0..<200 {
            says(String(repeating: "x", count: 99) + "\n", to: good.pipe)
        }
        close(good.pipe)
        host.stop()
        #expect(access(elsewhere.path + "/good.log", F_OK) != 0)
    }

    @Test("the answer to a log outside the allowed folders names the setting")
    func outside() throws {
        let folder = TemporaryFolder()
        let host = try LogHost(allowed: [folder.path + "/in"])
        let client = try RawClient(host)
        client.call(1, RawClient.owner + RawClient.text(folder.path + "/x.log") + words(0))
        let answer = String(decoding: client.message(), as: UTF8.self)
        #expect(answer.contains("add its folder to libvirt.log-folders"), "\(answer)")
    }

    @Test("spellings of one path are one log, and so are two paths to one file")
    func spellings() throws {
        let folder = TemporaryFolder()
        let host = try LogHost(allowed: [folder.path])
        let client = try RawClient(host)
        let log = folder.path + "/x.log"
        let (inode, _, pipe) = try #require(client.open(folder.path + "/./x.log"))
        defer { close(pipe) }
        for path in [log, folder.path + "//x.log", folder.path + "/././/x.log"] {
            #expect(client.open(path) == nil, "\(path)")
            #expect(client.position(path)?.inode == inode, "\(path)")
        }
        link(log, folder.path + "/y.log")
        #expect(client.open(folder.path + "/y.log") == nil)
        // Two names, although Swift treats them as equal.
        let pipes = try ["caf\u{e9}.log", "cafe\u{301}.log"].map { name in
            try #require(client.open(folder.path + "/" + name)).pipe
        }
        pipes.forEach { close($0) }
    }

    @Test("clients beyond the limit wait, and are served when one has left")
    func clientLimit() throws {
        let host = try LogHost(clients: 2)
        var first: RawClient? = try RawClient(host)
        let second = try RawClient(host)
        #expect(first?.position("/none") == nil)
        #expect(second.position("/none") == nil)
        let third = try RawClient(host)
        third.call(2, RawClient.text("/none") + words(0))
        #expect(second.position("/none") == nil)
        first = nil
        #expect(third.message().count > 28)
    }

    @Test("no bytes crash the decoder, and it reads within them only")
    func fuzz() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        let open = RawClient.owner + RawClient.text("/a/b.log") + words(1)
        for round in 0..<20_000 {
            var bytes = round % 2 == 0 ? open : (0..<Int.random(in: 0...64, using: &generator)).map { _ in 0 }
            for _ in 0..<Int.random(in: 0...4, using: &generator) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...min(8, bytes.count), using: &generator))
            var reader = XDRReader(bytes)
            let call = try? LogManagerCall(Int32.random(in: -1...5, using: &generator), &reader)
            if case .append(_, _, let message) = call {
                #expect(message.count <= bytes.count, "seed \(seed)")
            }
        }
    }
}

/// Small files.
enum FileBytes {
    static func of(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY)
        guard file >= 0 else {
            return []
        }
        defer { close(file) }
        return [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, filled in
            filled = max(0, read(file, buffer.baseAddress, buffer.count))
        }
    }

    static func owner(_ path: String) -> UInt32? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_uid : nil
    }

    static func put(_ text: String, to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        let bytes = Array(text.utf8)
        #expect(write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }
}

extension LinuxFileSystem {
    /// The paths of all files and folders below `folder`.
    func everything(below folder: String) throws -> [String] {
        try names(in: folder).flatMap { name in
            let path = folder + "/" + name
            return [path] + ((try? everything(below: path)) ?? [])
        }
    }
}
