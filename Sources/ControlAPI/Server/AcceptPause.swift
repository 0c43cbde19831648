import CLinux
import Glibc
import NIOConcurrencyHelpers
import NIOCore

/// Stops accepting connections for a second when the process, or the system, has no descriptors for them.
///
/// Without it the event loop is woken again and again by connections that it cannot accept. While there are spare
/// descriptors one of these is given up for the connection instead: `SpareDescriptors` says for whom.
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
        // The connection still waits, so the event loop tries again at once.
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

/// Descriptors kept open so that root and the daemon's own user can still connect when no others are left.
final class SpareDescriptors: Sendable {
    private let count: Int
    private let open = NIOLockedValueBox<[Int32]>([])

    /// That many spare descriptors.
    init(_ count: Int) {
        self.count = count
        refill()
    }

    deinit {
        open.withLockedValue { $0.forEach { close($0) } }
    }

    /// Whether some were given up and cannot be had back: other connections than root's and the daemon's own user's
    /// must not take them.
    var isShort: Bool { !refill() }

    /// Closes one; false when there is none left.
    func giveUpOne() -> Bool {
        guard let spare = open.withLockedValue({ $0.popLast() }) else {
            return false
        }
        close(spare)
        return true
    }

    /// Opens as many as were given up, as far as that is possible; whether all are open.
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
