// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Libvirt
import SystemIO

/// One client of the log manager: handles one call at a time, and sends its result before the next.
final class LogManagerConnection: EventHandler {
    private let socket: Descriptor
    private let manager: LogManager
    private let onEnd: (LogManagerConnection) -> Void
    private var token: EventLoop.Token?
    private var received = MessageBuffer()
    private var outgoing: [Outgoing] = []
    private var isBusy = false
    private var isPumping = false

    /// Bytes to be sent, one of them with a descriptor if there is one.
    private struct Outgoing {
        var bytes: ArraySlice<UInt8>
        var attached: LogManager.WriteEnd?
    }

    /// Maximum size of a read.
    private static let readSize = 64 << 10

    init(_ socket: consuming Descriptor, manager: LogManager, onEnd: @escaping (LogManagerConnection) -> Void) {
        self.socket = socket
        self.manager = manager
        self.onEnd = onEnd
    }

    func begin() throws(SystemError) {
        token = try manager.loop.add(socket.raw, for: .readable, self)
    }

    func end() {
        guard let token else {
            return
        }
        manager.loop.remove(token)
        self.token = nil
        onEnd(self)
    }

    func handle(_ readiness: Readiness) {
        if readiness.contains(.readable), !isBusy, outgoing.isEmpty {
            receive()
        } else if !readiness.isDisjoint(with: .hangUp) {
            return end()
        }
        pump()
    }

    private func receive() {
        var count = 0
        received.append(
            [UInt8](unsafeUninitializedCapacity: Self.readSize) { buffer, size in
                count = read(socket.raw, buffer.baseAddress, buffer.count)
                size = max(0, count)
            }
        )
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            end()
        }
    }

    /// Sends pending output, then handles the next received call, until either has to wait.
    private func pump() {
        guard !isPumping else {
            return
        }
        isPumping = true
        defer { isPumping = false }
        repeat {
            send()
        } while token != nil && outgoing.isEmpty && !isBusy && takeNext()
        if let token {
            let wanted: Readiness = !outgoing.isEmpty ? .writable : isBusy ? [] : .readable
            manager.loop.modify(token, for: wanted)
        }
    }

    private func send() {
        while token != nil, let first = outgoing.first {
            let descriptors = first.attached.map { [$0.descriptor.raw] } ?? []
            let count = first.bytes.withUnsafeBytes {
                gl_send_descriptors(socket.raw, $0.baseAddress, $0.count, descriptors, descriptors.count, 0)
            }
            guard count >= 0 else {
                if errno != EAGAIN, errno != EINTR {
                    end()
                }
                return
            }
            outgoing[0].bytes.removeFirst(count)
            if outgoing[0].bytes.isEmpty {
                outgoing.removeFirst()
            }
        }
    }

    /// Handles the first received message; false when it is incomplete.
    private func takeNext() -> Bool {
        do throws(XDRReader.Malformed) {
            guard let message = try received.next() else {
                return false
            }
            take(message)
            return true
        } catch {
            end()
            return false
        }
    }

    private func take(_ message: Message) {
        let header = message.header
        switch (header.program, MessageHeader.Kind(rawValue: header.kind)) {
        case (MessageHeader.keepAlive, .message) where header.procedure == MessageHeader.ping:
            put(header.answer(.message, procedure: MessageHeader.pong).message())
        case (_, .reply), (_, .message), (_, .replyWithDescriptors), (_, .stream), (_, .streamHole):
            // Not valid for a server; libvirt ignores them too.
            break
        case (LogManagerCall.program, .call) where header.version == MessageHeader.version && header.status == 0:
            call(header, message.body)
        default:
            let what = "program \(header.program) version \(header.version) type \(header.kind)"
            refuse(header, .rpc("Cannot serve \(what) status \(header.status)"))
        }
    }

    private func call(_ header: MessageHeader, _ arguments: XDRReader) {
        var arguments = arguments
        let call: LogManagerCall
        do throws(LogManagerError) {
            call = try LogManagerCall(header.procedure, &arguments)
        } catch {
            return refuse(header, error)
        }
        isBusy = true
        switch call {
        case .open(let owner, let path, let truncate):
            manager.open(owner, path, truncate: truncate) { [weak self] result in
                self?.answer(header, result) { self?.putOpened(header, $0) }
            }
        case .position(let path):
            manager.position(path) { [weak self] result in
                self?.answer(header, result) { position in self?.putReply(header) { $0.put(position) } }
            }
        case .read(let path, let start, let maximum):
            manager.read(path, from: start, maximum: maximum) { [weak self] result in
                self?.answer(header, result) { text in self?.putReply(header) { $0.put(text) } }
            }
        case .append(let owner, let path, let message):
            manager.append(owner, path, message) { [weak self] result in
                self?.answer(header, result) { self?.putReply(header) { $0.put(Int32(0)) } }
            }
        }
    }

    private func answer<Value>(
        _ header: MessageHeader,
        _ result: Result<Value, LogManagerError>,
        _ put: (Value) -> Void
    ) {
        isBusy = false
        switch result {
        case .success(let value): put(value)
        case .failure(let error): refuse(header, error)
        }
        pump()
    }

    private func putReply(_ header: MessageHeader, _ encode: (inout XDRWriter) -> Void) {
        var writer = XDRWriter()
        encode(&writer)
        put(header.answer(.reply).message(writer.bytes))
    }

    /// The descriptor is sent in a message of its own, with one byte: libvirt reads the result with read(2), which
    /// would lose a descriptor that came with it.
    private func putOpened(_ header: MessageHeader, _ log: LogManager.Opened) {
        var writer = XDRWriter()
        // One descriptor.
        writer.put(UInt32(1))
        writer.put(log.position)
        put(header.answer(.replyWithDescriptors).message(writer.bytes))
        put([0], with: log.end)
    }

    private func refuse(_ header: MessageHeader, _ error: LogManagerError) {
        put(header.answer(.reply, .error).message(error.payload))
    }

    private func put(_ bytes: [UInt8], with end: LogManager.WriteEnd? = nil) {
        outgoing.append(Outgoing(bytes: bytes[...], attached: end))
    }
}

extension XDRWriter {
    mutating func put(_ position: LogPosition) {
        put(position.inode)
        put(position.offset)
    }
}
