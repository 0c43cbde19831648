// SPDX-License-Identifier: Apache-2.0

import NIOCore

/// Divides a client's large WebSocket data frames into fragments of their message, before they are decoded: a browser sends
/// what is pasted as one frame, and the decoder holds a frame until it is complete. Nothing is held here but a frame's
/// head.
final class WebSocketFrameDivider: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// A larger frame is divided into fragments of this size, in bytes: a multiple of the mask's.
    private let pieceSize: UInt64
    /// A larger frame is left to the decoder, which refuses it.
    private let limit: UInt64
    private var head: [UInt8] = []
    /// The bytes of the frame's payload that are still to come, and of its present fragment.
    private var frameLeft: UInt64 = 0
    private var pieceLeft: UInt64 = 0
    /// The head of the frame that is divided: its first byte, and its mask.
    private var divided: (first: UInt8, mask: [UInt8])?

    private static let fin: UInt8 = 0x80
    private static let opcode: UInt8 = 0x0f
    private static let mask: UInt8 = 0x80

    init(pieceSize: Int, limit: Int) {
        self.pieceSize = UInt64(pieceSize & ~3)
        self.limit = UInt64(limit)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var input = unwrapInboundIn(data)
        var output = context.channel.allocator.buffer(capacity: input.readableBytes + 16)
        while input.readableBytes > 0 {
            if frameLeft == 0 {
                readHead(from: &input, to: &output)
                continue
            }
            if pieceLeft == 0 {
                beginPiece(isFirst: false, to: &output)
            }
            let count = min(Int(clamping: pieceLeft), input.readableBytes)
            if var piece = input.readSlice(length: count) {
                output.writeBuffer(&piece)
            }
            pieceLeft -= UInt64(count)
            frameLeft -= UInt64(count)
        }
        if output.readableBytes > 0 {
            context.fireChannelRead(wrapInboundOut(output))
        }
    }

    /// Takes a byte of a frame's head; the last one begins its payload.
    private func readHead(from input: inout ByteBuffer, to output: inout ByteBuffer) {
        guard let byte = input.readInteger(as: UInt8.self) else {
            return
        }
        head.append(byte)
        guard head.count >= 2 else {
            return
        }
        let short = head[1] & ~Self.mask
        let lengthSize = short == 127 ? 8 : short == 126 ? 2 : 0
        let maskSize = head[1] & Self.mask == 0 ? 0 : 4
        guard head.count == 2 + lengthSize + maskSize else {
            return
        }
        let length = lengthSize == 0 ? UInt64(short) : head[2..<(2 + lengthSize)].reduce(0) { $0 << 8 | UInt64($1) }
        let isControl = head[0] & 0x08 != 0
        frameLeft = length
        if isControl || length <= pieceSize || length > limit {
            (divided, pieceLeft) = (nil, length)
            output.writeBytes(head)
        } else {
            divided = (head[0], Array(head[(2 + lengthSize)...]))
            beginPiece(isFirst: true, to: &output)
        }
        head.removeAll(keepingCapacity: true)
    }

    /// Writes the head of the next fragment.
    private func beginPiece(isFirst: Bool, to output: inout ByteBuffer) {
        guard let divided else {
            return
        }
        pieceLeft = min(pieceSize, frameLeft)
        var first = divided.first & ~Self.fin
        if !isFirst {
            first &= ~Self.opcode
        }
        if pieceLeft == frameLeft {
            first |= divided.first & Self.fin
        }
        output.writeInteger(first)
        let mask = divided.mask.isEmpty ? 0 : Self.mask
        switch pieceLeft {
        case ..<126: output.writeInteger(mask | UInt8(pieceLeft))
        case ...0xffff:
            output.writeInteger(mask | 126)
            output.writeInteger(UInt16(pieceLeft))
        default:
            output.writeInteger(mask | 127)
            output.writeInteger(pieceLeft)
        }
        output.writeBytes(divided.mask)
    }
}
