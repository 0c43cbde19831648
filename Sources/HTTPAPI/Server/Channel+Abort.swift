// SPDX-License-Identifier: Apache-2.0

import Glibc
import NIOCore
import NIOSSL

extension Channel {
    /// Closes the connection at once: unsent output is discarded, in the kernel too, and no TLS shutdown is awaited,
    /// during which the peer could continue to send. `farewell` is sent before, unless other output waits.
    func abort(after farewell: ByteBuffer? = nil) {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.abort(after: farewell) }
            return
        }
        if let farewell, (try? syncOptions?.getOption(.bufferedWritableBytes)) == 0,
            let context = try? pipeline.syncOperations.context(handlerType: OutputDrain.self)
        {
            context.writeAndFlush(NIOAny(farewell), promise: nil)
        }
        _ = (self as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        if let tls = try? pipeline.syncOperations.context(handlerType: NIOSSLServerHandler.self) {
            tls.close(promise: nil)
        } else {
            close(promise: nil)
        }
    }

    /// Writes the bytes `end` after the output that waits, and does not wait itself.
    func write(end: ByteBuffer) {
        guard eventLoop.inEventLoop else {
            eventLoop.execute { self.write(end: end) }
            return
        }
        let context = try? pipeline.syncOperations.context(handlerType: OutputDrain.self)
        context?.writeAndFlush(NIOAny(end), promise: nil)
    }
}
