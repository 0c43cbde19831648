// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Stream sockets between VMs and their host (vsock(7)). A context id (CID) identifies a VM on its host, within one
/// network namespace, and as long as it runs.
public enum VsockSocket {
    /// The host, as its guests see it.
    public static let host: UInt32 = 2

    /// Listens on `port` in the calling thread's network namespace, for peers of any context.
    public static func listen(port: UInt32, backlog: Int32 = 128) throws(SystemError) -> Descriptor {
        Descriptor(owning: try systemCall("listen", "vsock port \(port)") { gl_vsock_listen(port, backlog) })
    }

    /// Begins to connect to `port` of `context`; the socket is writable when that has succeeded or failed
    /// (`failure(of:)`).
    public static func connect(to context: UInt32, port: UInt32) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try systemCall("connect", "vsock port \(port) of CID \(context)") {
                gl_vsock_connect(context, port)
            }
        )
    }

    /// The port to which a socket is bound; nil when it is of another family.
    public static func port(of socket: Int32) -> UInt32? {
        UInt32(exactly: gl_vsock_port(socket))
    }

    /// The context id of a socket's peer, which the kernel guarantees; nil when the socket is of another family.
    public static func peer(of socket: Int32) -> UInt32? {
        UInt32(exactly: gl_vsock_peer(socket))
    }

    /// The error with which a connection that was begun has failed; nil when it has succeeded.
    public static func failure(of socket: Int32) -> Int32? {
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &code, &size) == 0 else {
            return errno
        }
        return code == 0 ? nil : code
    }
}
