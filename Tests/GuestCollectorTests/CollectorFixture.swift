// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import GuestChannel
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

@testable import GuestCollector

/// A collector over a store of its own. The guest `web` connects to the Unix socket `socket`.
final class CollectorFixture {
    private let folder = TemporaryFolder()
    private(set) var capture: CaptureService
    private(set) var collector: GuestCollector
    private let options: CollectorOptions
    private let fileSystem: any FileSystem
    private let clock: any HostClock

    /// A collector with `more` guests, each at an endpoint in the fixture's folder.
    init(
        limits: GuestLimits = .default,
        fileSystem: any FileSystem = LinuxFileSystem(),
        clock: any HostClock = SystemClock(),
        memory: Int? = nil,
        more: (String) -> [CollectorOptions.Guest] = { _ in [] }
    ) throws {
        let web = CollectorOptions.Guest(vm: VMIdentity(name: "web"), endpoint: .unix(path: folder.path + "/web"))
        var options = CollectorOptions(guests: [web] + more(folder.path), limits: limits)
        options.memory = memory ?? options.memory
        self.options = options
        self.fileSystem = fileSystem
        self.clock = clock
        (capture, collector) = try Self.start(options, folder.path, fileSystem, clock)
    }

    private var isStopped = false

    deinit {
        stop()
    }

    func stop() {
        if !isStopped {
            isStopped = true
            collector.stop()
            capture.stop()
        }
    }

    /// What the collector's thread knows of the guest `vm`.
    func guest(_ vm: String, _ property: @escaping @Sendable (GuestState) -> Bool) -> Bool {
        let collector = collector
        return collector.loop.perform { collector.guests[VMIdentity(name: vm)].map(property) ?? false }
    }

    var path: String { folder.path }
    var socket: String { path + "/web" }
    var store: Store { Store(root: path + "/store") }

    private static func start(
        _ options: CollectorOptions,
        _ folder: String,
        _ fileSystem: any FileSystem,
        _ clock: any HostClock
    ) throws -> (CaptureService, GuestCollector) {
        var service = CaptureService.Options(store: folder + "/store", inflight: folder + "/inflight")
        service.shards = 1
        service.fileSystem = fileSystem
        service.clock = clock
        let capture = try CaptureService(service, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try capture.start()
        try capture.awaitStore()
        let collector = try GuestCollector(options, capture: capture)
        try collector.start()
        return (capture, collector)
    }

    func restart() throws {
        collector.stop()
        capture.stop()
        (capture, collector) = try Self.start(options, path, fileSystem, clock)
    }

    func stored(_ stream: StreamName = .guest, of vm: String = "web") throws -> StoredText {
        try StoredText(of: StreamID(vm: vm, stream: stream), in: store)
    }

    /// The values of the field `name` of the stored records.
    func values(
        of name: String = "MESSAGE",
        in stream: StreamName = .guest,
        from vm: String = "web"
    ) throws -> [String] {
        try stored(stream, of: vm).bytes.split(separator: Lines.feed).compactMap { line in
            try JSON(parsing: line)[name]?.text
        }
    }
}

/// The guest's end of a connection.
final class GuestEnd {
    private let socket: Descriptor

    init(_ path: String) throws {
        socket = try UnixSocket.connect(to: path)
        try socket.setNonBlocking(false)
    }

    init(_ descriptor: consuming Descriptor) throws {
        socket = descriptor
        try socket.setNonBlocking(false)
    }

    /// Sends all of `bytes`; false when the collector has closed the connection.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else {
                return false
            }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Sends `bytes` again and again, `limit` bytes at most, until none are taken while `condition` holds. Returns how many
    /// were taken.
    func flood(_ bytes: [UInt8], limit: Int, until condition: () -> Bool) -> Int {
        var total = 0
        _ = eventually {
            total += flood(bytes, from: total, limit: limit)
            return total >= limit || condition()
        }
        return total
    }

    /// Sends `bytes` again and again until no more are taken at once; returns how many were.
    private func flood(_ bytes: [UInt8], from start: Int, limit: Int) -> Int {
        var total = start
        while total < limit {
            let place = total % bytes.count
            let count = bytes[place...].withUnsafeBytes {
                Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            guard count > 0 else {
                break
            }
            total += count
        }
        return total - start
    }

    func send(_ text: String) {
        send(Array(text.utf8))
    }

    func send(_ message: AgentMessage) {
        var frame: [UInt8] = []
        GuestFrame.append(message.encoded, to: &frame)
        send(frame)
    }

    /// Ends this end's half.
    func finish() {
        shutdown(socket.raw, Int32(SHUT_WR))
    }

    /// What arrives within the limit, at once when there is something; empty at the end.
    func receive(milliseconds: Int32 = 180_000) -> [UInt8]? {
        var polled = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, milliseconds) == 1 else {
            return nil
        }
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(socket.raw, &buffer, buffer.count)
        return Array(buffer.prefix(max(0, count)))
    }

    private var decoder = FrameDecoder(resynchronizes: false)

    /// The next message; nil at the end of the connection.
    func message() throws -> CollectorMessage? {
        while true {
            if let payload = try decoder.next() {
                return try CollectorMessage(decoding: payload)
            }
            guard let bytes = receive(), !bytes.isEmpty else {
                return nil
            }
            bytes.withUnsafeBytes { decoder.append($0) }
        }
    }

    /// Waits for the acknowledgement of the number `sequence`.
    func awaitAcknowledgement(_ sequence: UInt64) throws -> Bool {
        while let message = try message() {
            if case .acknowledgement(let number) = message, number >= sequence {
                return true
            }
        }
        return false
    }

    /// Whether the collector closes the connection.
    func isClosed() -> Bool {
        while let bytes = receive() {
            if bytes.isEmpty {
                return true
            }
        }
        return false
    }
}
