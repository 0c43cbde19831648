// SPDX-License-Identifier: Apache-2.0

import Capture
public import SystemIO

/// A listening socket that another process has opened.
final class InheritedListener {
    private var socket: Descriptor?

    init(_ socket: consuming Descriptor) {
        self.socket = consume socket
    }

    func take() -> Descriptor? { socket.take() }
}

// Listening sockets that outlive the collector: of the service manager (socket activation), and those that a process
// passes to the one that replaces it. So a guest that connects meanwhile waits, and is not refused.
extension GuestCollector {
    /// The name under which they are passed (`FileDescriptorName=`).
    static let passedName = "guestlog.collector"

    /// Accepts an inherited socket, before `start`; returns whether it is the collector's. Which of its listeners it is
    /// tells the address to which it is bound.
    public func inherit(_ name: String, _ descriptor: borrowing Descriptor) throws(SystemError) -> Bool {
        guard name == Self.passedName else {
            return false
        }
        let bound: String
        if let port = VsockSocket.port(of: descriptor.raw) {
            bound = Self.name(ofPort: port)
        } else if let path = UnixSocket.path(of: descriptor.raw) {
            bound = path
        } else if let address = NetworkAddress(boundTo: descriptor.raw) {
            bound = "\(address)"
        } else {
            return true
        }
        inherited[bound] = InheritedListener(try descriptor.duplicate())
        return true
    }

    static func name(ofPort port: UInt32) -> String { "vsock port \(port)" }

    /// The inherited socket of the listener `name`, once.
    func takeInherited(_ name: String) -> Descriptor? {
        guard let socket = inherited.removeValue(forKey: name)?.take() else {
            return nil
        }
        keptFiles.insert(name)
        return socket
    }

    /// Copies of all listening sockets, for the process that replaces this one; their files stay when this one stops. To
    /// be called before `stop`.
    public func passListeners() -> [(name: String, descriptor: Int32)] {
        let copies = loop.perform { [self] in
            keptFiles.formUnion(allListeners.map(\.path))
            return allListeners.compactMap { listener in try? listener.duplicate().release() }
        }
        return copies.map { (Self.passedName, $0) }
    }

    /// Reports inherited sockets that no guest of the configuration has.
    func reportUnused() {
        for name in inherited.keys.sorted() {
            capture.diagnostics.log(
                .warning,
                "the socket \(name), which was passed to the collector, belongs to no guest of the configuration"
            )
        }
        inherited = [:]
    }
}
