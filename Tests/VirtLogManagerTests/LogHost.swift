// SPDX-License-Identifier: Apache-2.0

import CLinux
import Capture
import Glibc
import LogModel
import LogStore
import RotatingFile
import SystemIO
import TestSupport
import Testing
import VirtLogManager

/// The log manager in this process, with a socket and a store in folders of its own.
final class LogHost {
    let folder = TemporaryFolder()
    let fileSystem = FaultyFileSystem()
    let capture: CaptureService
    private let loop: EventLoop
    private let thread: WorkerThread
    private let serving = Serving()
    private var isStopped = false

    var path: String { folder.path }
    var socket: String { path + "/sock" }

    /// A host whose store belongs to `user`, if that is given; its rings are in the folder `runtime`, if that is.
    init(
        limits: RotationLimits = RotationLimits(size: 4096, backups: 3),
        allowed: [String]? = nil,
        clients: Int = 1024,
        storeUser user: UInt32? = nil,
        runtime: String? = nil,
        commitWait: Int64 = 120_000_000
    ) throws {
        let inflight = (runtime ?? folder.path) + "/inflight"
        var options = CaptureService.Options(store: folder.path + "/store", inflight: inflight)
        options.fileSystem = fileSystem
        if let user {
            mkdir(folder.path + "/store", 0o750)
            chown(folder.path + "/store", user, user)
            chmod(folder.path, 0o755)
            options.usesStoreOwner = true
        }
        options.shards = 2
        capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try capture.start()
        let loop = try EventLoop()
        self.loop = loop
        var logOptions = LogManager.Options(limits: limits, allowed: allowed, rate: nil)
        logOptions.commitWait = commitWait
        let manager = LogManager(logOptions, capture: capture, loop: loop)
        thread = try WorkerThread(name: "test-logs") { loop.run() }
        let path = folder.path + "/sock"
        let failure = loop.perform { [serving] in serving.begin(manager, path, clients) }
        #expect(failure == nil)
    }

    /// Continues a log of an earlier process.
    func resume(_ log: LogManager.InheritedLog) {
        loop.perform { [serving] in serving.manager?.resume(log) }
    }

    private final class Serving: @unchecked Sendable {
        private var server: LogManagerServer?
        private(set) var manager: LogManager?

        func begin(_ manager: LogManager, _ path: String, _ clients: Int) -> SystemError? {
            do throws(SystemError) {
                let server = LogManagerServer(manager, user: geteuid(), limit: clients, onRefused: { _ in })
                try server.listen(on: ListeningSocket(path: path))
                self.server = server
                self.manager = manager
                return nil
            } catch {
                return error
            }
        }
    }

    deinit {
        stop()
    }

    func stop() {
        guard !isStopped else {
            return
        }
        isStopped = true
        loop.stop()
        thread.join()
        capture.stop()
    }

    /// The stored contents of a stream of the VM `RawClient.owner`.
    func stored(_ stream: String) throws -> StoredText {
        let name = try #require(StreamName(stream))
        return try StoredText(of: StreamID(vm: RawClient.uuid, stream: name), in: Store(root: path + "/store"))
    }
}

/// A client that sends raw bytes.
final class RawClient {
    private let socket: Descriptor
    private var serial: UInt32 = 0

    static let uuid = "11112222-3333-4444-5555-666677778888"
    /// Driver `qemu`, that UUID, the name `tiny`, as encoded in a call.
    static let owner: [UInt8] =
        words(4) + Array("qemu".utf8)
        + [0x11, 0x11, 0x22, 0x22, 0x33, 0x33, 0x44, 0x44, 0x55, 0x55, 0x66, 0x66, 0x77, 0x77, 0x88, 0x88]
        + words(4) + Array("tiny".utf8)

    init(_ host: LogHost) throws {
        socket = try UnixSocket.connect(to: host.socket)
        try socket.setNonBlocking(false)
        // A call that is never answered fails its test.
        var limit = timeval(tv_sec: 180, tv_usec: 0)
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    static func words(_ values: UInt32...) -> [UInt8] {
        values.flatMap { value in withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    }

    static func long(_ value: UInt64) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }

    static func text(_ text: some StringProtocol) -> [UInt8] {
        words(UInt32(text.utf8.count)) + Array(text.utf8) + [UInt8](repeating: 0, count: -text.utf8.count & 3)
    }

    func send(_ bytes: [UInt8]) {
        #expect(bytes.withUnsafeBytes { write(socket.raw, $0.baseAddress, $0.count) } == bytes.count)
    }

    /// Sends a call, with the next serial.
    func call(_ procedure: UInt32, _ arguments: [UInt8]) {
        let length = UInt32(28 + arguments.count)
        send(Self.words(length, 0x8753_9319, 1, procedure, 0, serial, 0) + arguments)
        serial += 1
    }

    /// The next complete message, its length included; empty at the end.
    func message() -> [UInt8] {
        let head = bytes(4)
        guard head.count == 4 else {
            return head
        }
        return head + bytes(head.reduce(0) { $0 << 8 | Int($1) } - 4)
    }

    private func bytes(_ count: Int) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count {
            var buffer = [UInt8](repeating: 0, count: count - all.count)
            let count = Glibc.read(socket.raw, &buffer, buffer.count)
            guard count > 0 else {
                break
            }
            all += buffer.prefix(count)
        }
        return all
    }

    /// The descriptor that follows a result, with a byte of its own.
    func descriptor() -> Int32? {
        var byte: UInt8 = 1
        var number: Int32 = -1
        let count = gl_receive_descriptor(socket.raw, &byte, 1, &number)
        #expect(count == 1 && byte == 0)
        return number < 0 ? nil : number
    }

    /// Opens a log; returns its position and the pipe.
    func open(_ path: String, flags: UInt32 = 0) -> (inode: UInt64, offset: UInt64, pipe: Int32)? {
        call(1, Self.owner + Self.text(path) + Self.words(flags))
        let answer = message()
        guard answer.count == 48, let pipe = descriptor() else {
            return nil
        }
        return (Self.long(in: answer, at: 32), Self.long(in: answer, at: 40), pipe)
    }

    /// Opens a log whose pipe was closed: it ends when no child that another test is starting has a copy of the pipe.
    func reopen(_ path: String, flags: UInt32 = 0) -> (inode: UInt64, offset: UInt64, pipe: Int32)? {
        var opened: (inode: UInt64, offset: UInt64, pipe: Int32)?
        _ = eventually {
            opened = open(path, flags: flags)
            return opened != nil
        }
        return opened
    }

    func position(_ path: String) -> (inode: UInt64, offset: UInt64)? {
        call(2, Self.text(path) + Self.words(0))
        let answer = message()
        return answer.count == 44 ? (Self.long(in: answer, at: 28), Self.long(in: answer, at: 36)) : nil
    }

    func read(_ path: String, _ inode: UInt64, _ offset: UInt64, maximum: UInt64 = 131_072) -> [UInt8]? {
        call(3, Self.text(path) + Self.long(inode) + Self.long(offset) + Self.long(maximum) + Self.words(0))
        let answer = message()
        guard answer.count >= 32, answer[24..<28].elementsEqual([0, 0, 0, 0]) else {
            return nil
        }
        let count = answer[28..<32].reduce(0) { $0 << 8 | Int($1) }
        return Array(answer[32...].prefix(count))
    }

    static func long(in bytes: [UInt8], at offset: Int) -> UInt64 {
        bytes[offset..<(offset + 8)].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
