// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Tells from a server's first bytes that it does not speak HTTP/1.1, where the parser would only say that.
final class ForeignProtocolDetector: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let endpoint: String

    init(_ endpoint: String) {
        self.endpoint = endpoint
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if let words = Self.words(Array(unwrapInboundIn(data).readableBytesView.prefix(9))) {
            context.fireErrorCaught(HTTPClientError(.protocolViolation, "\(endpoint) \(words)"))
            return
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }

    private static func words(_ first: [UInt8]) -> String? {
        // RFC 9113, section 4.1: the length, the type SETTINGS, the flags, and the stream 0.
        if first.count == 9, first[0] == 0, first[3] == 4, first[5...].allSatisfy({ $0 == 0 }) {
            return "speaks HTTP/2, such as gRPC, at this port: use the one for HTTP/1.1, which is usually 4318 for OTLP"
        }
        // An alert of TLS (RFC 8446, section 5.1).
        if first.count >= 3, first[0] == 0x15, first[1] == 3 {
            return "speaks TLS at this port: use https:// in the URL"
        }
        return nil
    }
}
