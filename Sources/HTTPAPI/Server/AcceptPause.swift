// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import NIOConcurrencyHelpers
import NIOCore

/// Stops accepting connections for a second when the process or the system has no free descriptors.
///
/// Without the pause the event loop would be woken continuously by connections that it cannot accept. While there are
/// spare descriptors, one of them is closed instead: see `SpareDescriptors`.
final class AcceptPause: ChannelInboundHandler {
    typealias InboundIn = Channel

    private let spares: SpareDescriptors
    private static let length = TimeAmount.seconds(1)

    init(_ spares: SpareDescriptors) {
        self.spares = spares
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard error is IOError else {
            context.fireErrorCaught(error)
            return
        }
        // The connection is still pending, so the event loop tries again at once.
        if spares.giveUpOne() {
            return
        }
        let channel = context.channel
        try? channel.syncOptions?.setOption(.autoRead, value: false)
        _ = channel.eventLoop.scheduleTask(in: Self.length) { [spares] in
            spares.refill()
            try channel.syncOptions?.setOption(.autoRead, value: true)
        }
    }
}

/// Descriptors held open so that root and the daemon's own user can connect when no others are left.
final class SpareDescriptors: Sendable {
    private let count: Int
    private let open = NIOLockedValueBox<[Int32]>([])

    init(_ count: Int) {
        self.count = count
        refill()
    }

    deinit {
        open.withLockedValue { $0.forEach { close($0) } }
    }

    /// Whether some were closed and cannot be reopened: then only root and the daemon's own user may connect.
    var isShort: Bool { !refill() }

    func giveUpOne() -> Bool {
        guard let spare = open.withLockedValue({ $0.popLast() }) else {
            return false
        }
        close(spare)
        return true
    }

    /// Reopens the closed ones as far as possible; returns whether all are open.
    @discardableResult
    func refill() -> Bool {
        open.withLockedValue { open in
            while open.count < count {
                let spare = gl_eventfd()
                guard spare >= 0 else {
                    return false
                }
                open.append(spare)
            }
            return true
        }
    }
}
