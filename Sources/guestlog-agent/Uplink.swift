// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import SystemIO

/// The connection to the collector: opens it, opens it again after it has ended, and carries bytes. Never blocks.
final class Uplink: EventHandler {
    enum Event {
        case connected
        case received([UInt8])
        case writable
        /// Why the connection has ended.
        case ended(String)
    }

    private let target: AgentOptions.Target
    private unowned let loop: EventLoop
    var onEvent: (Event) -> Void = { _ in }
    private var socket: Descriptor?
    private var token: EventLoop.Token?
    private var isConnecting = false
    private(set) var isConnected = false
    private var output = PendingOutput()
    private var backoff = Uplink.delays

    /// From 50 ms to 5 s: a host that restarts its collector has the agent back soon.
    private static var delays: Backoff { Backoff(first: 50_000, doublingLimit: 5_000_000, longest: 5_000_000) }
    private static let pieceSize = 64 << 10

    init(to target: AgentOptions.Target, on loop: EventLoop) {
        self.target = target
        self.loop = loop
    }

    /// Whether everything written so far was taken by the kernel.
    var isEmpty: Bool { output.isEmpty }

    // MARK: - Connecting

    func connect() {
        do throws(SystemError) {
            switch target {
            case .vsock(let context, let port):
                socket = try VsockSocket.connect(to: context, port: port)
                isConnecting = true
                try register(.writable)
            case .unix(let path):
                socket = try UnixSocket.connect(to: path)
                try register(.readable)
                finishConnecting()
            case .serial(let path):
                try connectSerial(path)
            }
        } catch {
            drop("\(error)")
        }
    }

    /// A virtio-serial port stays open: it may not be accessible later. It has nobody behind it while it reports a
    /// hang-up, which no event ends: so it is looked at again, with the delays of a connection.
    private func connectSerial(_ path: String) throws(SystemError) {
        if socket == nil {
            let raw = try systemCall("open", path) { open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) }
            socket = Descriptor(owning: raw)
        }
        guard let raw = socket?.raw else {
            return
        }
        var polled = pollfd(raw, POLLOUT)
        guard poll(&polled, 1, 0) >= 0, polled.revents & Int16(POLLHUP) == 0 else {
            throw SystemError("connect", path, code: ENOTCONN, reason: "the host has not connected the port")
        }
        try register(.readable)
        finishConnecting()
    }

    private func register(_ readiness: Readiness) throws(SystemError) {
        if let raw = socket?.raw {
            token = try loop.add(raw, for: readiness, self)
        }
    }

    private func finishConnecting() {
        (isConnecting, isConnected) = (false, true)
        onEvent(.connected)
    }

    /// The collector has answered: the next delay is short again.
    func noteSuccess() {
        backoff = Self.delays
    }

    /// Ends the connection, and begins a new one after a delay, which differs among guests: they all lose the host at
    /// the same moment.
    func drop(_ reason: String) {
        if let token {
            loop.remove(token)
        }
        token = nil
        if case .serial = target {
        } else {
            socket = nil
        }
        (isConnecting, isConnected, output) = (false, false, PendingOutput())
        onEvent(.ended(reason))
        loop.schedule(afterMicroseconds: backoff.nextSpread()) { [weak self] in self?.connect() }
    }

    // MARK: - Bytes

    func handle(_ readiness: Readiness) {
        guard let raw = socket?.raw else {
            return
        }
        if isConnecting {
            if let code = VsockSocket.failure(of: raw) {
                drop("\(SystemError("connect", "\(target)", code: code))")
            } else {
                if let token {
                    loop.modify(token, for: .readable)
                }
                finishConnecting()
            }
            return
        }
        if readiness.contains(.readable), !readOnce(raw) {
            return
        }
        if !readiness.isDisjoint(with: .hangUp) {
            drop("the other end has closed the connection")
            return
        }
        if readiness.contains(.writable) {
            flush()
            if output.isEmpty {
                onEvent(.writable)
            }
        }
    }

    /// Returns whether the connection is still there.
    private func readOnce(_ raw: Int32) -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 16) { buffer in
            let count = read(raw, buffer.baseAddress, buffer.count)
            if count > 0 {
                onEvent(.received(Array(UnsafeRawBufferPointer(buffer)[..<count])))
            } else if count == 0 || ![EAGAIN, EINTR].contains(errno) {
                drop(count == 0 ? "the collector has closed the connection" : "\(SystemError("read", "\(target)"))")
            }
        }
        return isConnected
    }

    /// Sends `bytes`, now or when the kernel has room.
    func send(_ bytes: [UInt8]) {
        output.append(bytes)
        flush()
    }

    private func flush() {
        guard let raw = socket?.raw, isConnected else {
            return
        }
        // A connection that fails has hung up, and ends by that event.
        _ = output.write(to: raw)
        if let token {
            loop.modify(token, for: output.interest)
        }
    }
}
