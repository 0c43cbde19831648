// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO

/// The socket of one client of the log manager. `LogManagerSession` is its protocol.
final class LogManagerConnection: EventHandler {
    private let socket: Descriptor
    private let manager: LogManager
    private let onEnd: (LogManagerConnection) -> Void
    private var token: EventLoop.Token?
    private var session = LogManagerSession()
    private var outgoing: [Outgoing] = []
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
        if readiness.contains(.readable), !session.isBusy, outgoing.isEmpty {
            receive()
        } else if !readiness.isDisjoint(with: .hangUp) {
            return end()
        }
        pump()
    }

    private func receive() {
        var count = 0
        session.receive(
            [UInt8](unsafeUninitializedCapacity: Self.readSize) { buffer, size in
                count = read(socket.raw, buffer.baseAddress, buffer.count)
                size = max(0, count)
            }
        )
        if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) {
            end()
        }
    }

    /// Sends pending output, then handles the next received message, until either has to wait.
    private func pump() {
        guard !isPumping else {
            return
        }
        isPumping = true
        defer { isPumping = false }
        send()
        while token != nil, outgoing.isEmpty, let action = session.next() {
            perform(action)
            send()
        }
        if let token {
            let wanted: Readiness = !outgoing.isEmpty ? .writable : session.isBusy ? [] : .readable
            manager.loop.modify(token, for: wanted)
        }
    }

    private func perform(_ action: LogManagerSession.Action) {
        switch action {
        case .send(let bytes): outgoing.append(Outgoing(bytes: bytes[...]))
        case .close: end()
        case .perform(let call): perform(call)
        }
    }

    private func perform(_ call: LogManagerCall) {
        switch call {
        case .open(let owner, let path, let truncate):
            manager.open(owner, path, truncate: truncate) { [weak self] result in
                let end = try? result.get().end
                self?.reply(result.map { .opened($0.position) }, with: end)
            }
        case .position(let path):
            manager.position(path) { [weak self] result in self?.reply(result.map { .position($0) }) }
        case .read(let path, let start, let maximum):
            manager.read(path, from: start, maximum: maximum) { [weak self] result in
                self?.reply(result.map { .text($0) })
            }
        case .append(let owner, let path, let message):
            manager.append(owner, path, message) { [weak self] result in self?.reply(result.map { _ in .appended }) }
        }
    }

    private func reply(
        _ result: Result<LogManagerSession.CallResult, LogManagerError>,
        with end: LogManager.WriteEnd? = nil
    ) {
        let outcome: LogManagerSession.CallResult =
            switch result {
            case .success(let outcome): outcome
            case .failure(let error): .failed(error)
            }
        outgoing += session.reply(outcome).map { piece in
            Outgoing(bytes: piece.bytes[...], attached: piece.carriesDescriptor ? end : nil)
        }
        pump()
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
}
