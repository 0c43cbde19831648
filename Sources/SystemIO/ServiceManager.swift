// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// systemd's service protocol: readiness, watchdog, stored descriptors (sd_notify(3)).
public final class ServiceManager: Sendable {
    private let address: String?
    /// The watchdog's interval, in microseconds; nil without a watchdog.
    public let watchdogMicroseconds: Int64?

    /// The manager at `address`, by default that of the environment; nil: there is none.
    public init(address: String? = Environment["NOTIFY_SOCKET"]) {
        self.address = address
        let interval = Environment["WATCHDOG_USEC"].flatMap { Int64($0) }
        let process = Environment["WATCHDOG_PID"].flatMap { Int32($0) }
        watchdogMicroseconds = process == nil || process == getpid() ? interval : nil
    }

    public var isPresent: Bool { address != nil }

    /// Stores a copy of `descriptor` under `name`, in case this process dies. It is kept although its other end is
    /// closed: the next process reads what is left.
    public func store(_ descriptor: Int32, as name: String) {
        notify("FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)", descriptors: [descriptor])
    }

    /// Closes the stored descriptor of that name.
    public func removeStored(_ name: String) {
        notify("FDSTOREREMOVE=1\nFDNAME=\(name)")
    }

    /// Sends `state` (lines of `NAME=value`) with `descriptors` attached; false when there is no manager, or it does
    /// not accept the message.
    @discardableResult
    public func notify(_ state: String, descriptors: [Int32] = []) -> Bool {
        guard let address else {
            return false
        }
        let raw = gl_datagram_socket()
        guard raw >= 0 else {
            return false
        }
        let socket = Descriptor(owning: raw)
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(address.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: target.sun_path) else {
            return false
        }
        withUnsafeMutableBytes(of: &target.sun_path) { buffer in
            buffer.copyBytes(from: bytes)
            if bytes.first == UInt8(ascii: "@") {
                buffer[0] = 0
            }
        }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
        let connected = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket.raw, $0, length) }
        }
        guard connected == 0 else {
            return false
        }
        let text = Array(state.utf8)
        return gl_send_descriptors(socket.raw, text, text.count, descriptors, descriptors.count, 0) == text.count
    }
}
