// SPDX-License-Identifier: Apache-2.0

import NIOCore
import SystemIO

extension Channel {
    /// The peer of a Unix socket; nil when the kernel does not report it.
    func peerCredentials() -> EventLoopFuture<PeerCredentials?> {
        guard let provider = self as? any SocketOptionProvider else {
            return eventLoop.makeSucceededFuture(nil)
        }
        let credentials: EventLoopFuture<RawCredentials> = provider.unsafeGetSocketOption(
            level: .socket,
            name: NIOBSDSocket.Option(rawValue: Self.peerCredentialsOption)
        )
        return credentials.map { PeerCredentials(process: $0.process, user: $0.user, group: $0.group) }
            .flatMapErrorThrowing { _ in nil }
    }

    /// SO_PEERCRED.
    private static var peerCredentialsOption: CInt { 17 }
}

/// `struct ucred`.
private struct RawCredentials: Sendable {
    var process: Int32
    var user: UInt32
    var group: UInt32
}
