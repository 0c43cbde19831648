// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import RotatingFile
import Synchronization
import SystemIO
import TestSupport
import Testing

@testable import ConsoleHub

/// A guest's end of a console: listens like QEMU's `socket,server=on,wait=off`.
final class Chardev {
    let path: String
    private let listener: Descriptor

    init(_ path: String) throws {
        self.path = path
        listener = try UnixSocket.listen(at: path)
    }

    func accept() throws -> Descriptor {
        let connection = try awaitDescriptor { try UnixSocket.accept(listener.raw) }
        try connection.setNonBlocking(false)
        return connection
    }
}

/// Connects to the socket at `path` as soon as it listens: its file appears a moment before.
func connect(to path: String) -> Descriptor {
    awaitDescriptor { try? UnixSocket.connect(to: path) }
}

/// The first descriptor that `body` returns.
func awaitDescriptor(_ body: () throws -> Descriptor?) rethrows -> Descriptor {
    var found: Int32 = -1
    let isFound = try eventually {
        guard let descriptor = try body() else { return false }
        found = descriptor.release()
        return true
    }
    #expect(isFound)
    return Descriptor(owning: found)
}

func send(_ text: String, to descriptor: borrowing Descriptor) {
    let bytes = Array(text.utf8)
    var done = 0
    while done < bytes.count {
        let count = bytes[done...].withUnsafeBytes { write(descriptor.raw, $0.baseAddress, $0.count) }
        guard count > 0 else { return }
        done += count
    }
}

func receive(_ count: Int, from descriptor: borrowing Descriptor) -> String {
    var bytes: [UInt8] = []
    _ = eventually {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let got = recv(descriptor.raw, &buffer, min(buffer.count, count - bytes.count), Int32(MSG_DONTWAIT))
        if got > 0 { bytes.append(contentsOf: buffer[..<got]) }
        return bytes.count >= count
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// A capture and a hub with folders of their own.
final class HubFixture {
    let folder: TemporaryFolder
    let capture: CaptureService
    let hub: ConsoleHub
    private let messageLog: MessageLog
    private var isStopped = false

    /// The daemon's log messages.
    private final class MessageLog: Sendable {
        let messages = Mutex<[String]>([])
    }

    var messages: [String] { messageLog.messages.withLock { $0 } }

    /// `inherited` are the descriptors that an earlier process has left, by their names; `named` are the consoles that the
    /// configuration names.
    init(
        in folder: TemporaryFolder = TemporaryFolder(),
        manager: ServiceManager = ServiceManager(),
        inheriting inherited: [(name: String, descriptor: Int32)] = [],
        patterns: [DiscoveryPattern] = [],
        named: [ConsoleHub.Definition] = [],
        forgetsAfter: Int64 = 60_000_000,
        joinAge: Int64 = .max,
        consoleLimit: Int? = nil,
        socketSessionLimit: Int? = nil,
        acceptsOwnProcess: Bool = true
    ) throws {
        self.folder = folder
        let options = CaptureService.Options(store: folder.path + "/store", inflight: folder.path + "/run/inflight")
        let messageLog = MessageLog()
        self.messageLog = messageLog
        let diagnostics = Diagnostics { _, message in messageLog.messages.withLock { $0.append(message) } }
        capture = try CaptureService(options, diagnostics: diagnostics)
        var hubOptions = ConsoleHub.Options(
            patterns: patterns,
            passThroughFolder: folder.path + "/run",
            table: folder.path + "/run/held"
        )
        hubOptions.forgetsAfter = forgetsAfter
        // The guests are in this process, which may be of any age.
        hubOptions.joinAge = joinAge
        hubOptions.consoleLimit = consoleLimit ?? hubOptions.consoleLimit
        hubOptions.socketSessionLimit = socketSessionLimit ?? hubOptions.socketSessionLimit
        hubOptions.acceptsOwnProcess = acceptsOwnProcess
        hub = try ConsoleHub(hubOptions, capture: capture, manager: manager)
        for (name, descriptor) in inherited {
            let isAccepted = hub.inherit(name, Descriptor(owning: descriptor))
            #expect(isAccepted)
        }
        try capture.start()
        try hub.start(named)
    }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        hub.stop()
        capture.stop()
    }

    /// Stops, and leaves the consoles to the next process: their descriptors, by the names they are stored under.
    func handOver() -> [(name: String, descriptor: Int32)] {
        isStopped = true
        defer { capture.stop() }
        return hub.stop(passedOn: true)
    }

    deinit { stop() }

    func text(_ vm: String) throws -> StoredText {
        try StoredText(of: StreamID(vm: vm, stream: .console0), in: capture.store)
    }

    /// The problems of a VM's consoles.
    func problems(of vm: String) -> [String] {
        capture.problems.all.filter { ("/" + $0.subject).contains("/" + vm + "/") }.map(\.problem)
    }
}
