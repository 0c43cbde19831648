// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
public import SystemIO

/// A listening socket that another process has opened.
final class InheritedListener {
    /// The address to which it is bound.
    let address: String
    private var socket: Descriptor?

    init(_ socket: consuming Descriptor, at address: String) {
        self.socket = consume socket
        self.address = address
    }

    func take() -> Descriptor? { socket.take() }
}

// Listening sockets that outlive the collector: of the service manager (socket activation), and those that a process
// passes to the one that replaces it. So a guest that connects meanwhile waits, and is not refused.
extension GuestCollector {
    /// The name of those that the service manager has made (`FileDescriptorName=`). Which of the listeners one is tells its
    /// address.
    static let activatedName = "guestlog.collector"

    /// The name under which a process passes the socket of the listener `name`. The address does not tell it: a socket in
    /// a folder of a guest, or with a long path, is bound to a path below /proc/self/fd.
    static func passedName(of name: String) -> String {
        activatedName + "." + String(name.stableHash(), radix: 16)
    }

    /// Accepts an inherited socket, before `start`; returns whether it is the collector's.
    public func inherit(_ name: String, _ descriptor: borrowing Descriptor) throws(SystemError) -> Bool {
        guard name == Self.activatedName || name.hasPrefix(Self.activatedName + ".") else {
            return false
        }
        guard let address = Self.address(of: descriptor.raw) else {
            return true
        }
        let hash = UInt64(name.dropFirst(Self.activatedName.utf8.count + 1), radix: 16)
        inherited[hash ?? address.stableHash()] = InheritedListener(try descriptor.duplicate(), at: address)
        return true
    }

    private static func address(of socket: Int32) -> String? {
        if let port = VsockSocket.port(of: socket) {
            return name(ofPort: port)
        }
        return UnixSocket.path(of: socket) ?? NetworkAddress(boundTo: socket).map { "\($0)" }
    }

    static func name(ofPort port: UInt32) -> String { "vsock port \(port)" }

    /// The inherited socket of the listener `name`, once.
    func takeInherited(_ name: String) -> Descriptor? {
        guard let socket = inherited.removeValue(forKey: name.stableHash())?.take() else {
            return nil
        }
        keptFiles.insert(name)
        return socket
    }

    /// Copies of all listening sockets, for the process that replaces this one; their files stay when this one stops. To
    /// be called before `stop`.
    public func passListeners() -> [(name: String, descriptor: Int32)] {
        loop.perform { [self] in
            keptFiles.formUnion(sockets.map(\.path))
            return sockets.compactMap { socket in
                (try? socket.duplicate().release()).map { (Self.passedName(of: socket.path), $0) }
            }
        }
    }

    /// Reports inherited sockets that no guest of the configuration has.
    func reportUnused() {
        for address in inherited.values.map(\.address).sorted() {
            capture.diagnostics.log(
                .warning,
                "the socket \(address), which was passed to the collector, belongs to no guest of the configuration"
            )
        }
        inherited = [:]
    }
}
