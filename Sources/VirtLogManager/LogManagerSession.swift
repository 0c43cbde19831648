// SPDX-License-Identifier: Apache-2.0

import Libvirt

/// The protocol with one client of the log manager (virnetprotocol.x, log_protocol.x), without its socket: bytes and
/// answers go in, replies and calls come out. One call is in progress at a time; the next message is taken when it was
/// answered.
struct LogManagerSession {
    /// What is to be done next.
    enum Action: Equatable {
        case send([UInt8])
        /// Carry out a call, and pass the result to `reply`.
        case perform(LogManagerCall)
        /// The client does not follow the protocol.
        case close
    }

    /// The result of a call.
    enum CallResult {
        /// The log was opened at its end, and the pipe to write to is ready.
        case opened(LogPosition)
        case position(LogPosition)
        case text([UInt8])
        case appended
        case failed(LogManagerError)
    }

    /// A part of a reply.
    struct Piece: Equatable {
        var bytes: [UInt8]
        /// Whether the pipe's descriptor is sent with it.
        var carriesDescriptor = false
    }

    private var received = MessageBuffer()
    private var call: MessageHeader?

    /// Whether a call is in progress.
    var isBusy: Bool { call != nil }

    mutating func receive(_ bytes: [UInt8]) {
        received.append(bytes)
    }

    /// The next action; nil: the next message is incomplete, or a call is in progress.
    mutating func next() -> Action? {
        while !isBusy {
            do throws(XDRReader.Malformed) {
                guard let message = try received.next() else {
                    return nil
                }
                if let action = handle(message) {
                    return action
                }
            } catch {
                return .close
            }
        }
        return nil
    }

    private mutating func handle(_ message: Message) -> Action? {
        let header = message.header
        switch (header.program, MessageHeader.Kind(rawValue: header.kind)) {
        case (MessageHeader.keepAlive, .message) where header.procedure == MessageHeader.ping:
            return .send(header.answer(.message, procedure: MessageHeader.pong).message())
        case (_, .reply), (_, .message), (_, .replyWithDescriptors), (_, .stream), (_, .streamHole):
            // Not valid for a server; libvirt ignores them too.
            return nil
        case (LogManagerCall.program, .call) where header.version == MessageHeader.version && header.status == 0:
            var arguments = message.body
            do throws(LogManagerError) {
                let action = Action.perform(try LogManagerCall(header.procedure, &arguments))
                call = header
                return action
            } catch {
                return .send(Self.refusal(header, error))
            }
        default:
            let what = "program \(header.program) version \(header.version) type \(header.kind)"
            return .send(Self.refusal(header, .rpc("Cannot serve \(what) status \(header.status)")))
        }
    }

    /// The reply to the call in progress, which ends with it.
    mutating func reply(_ result: CallResult) -> [Piece] {
        guard let header = call else {
            return []
        }
        call = nil
        var writer = XDRWriter()
        switch result {
        case .opened(let position):
            // One descriptor. It is sent after the message, with one byte: libvirt reads the result with read(2), which
            // would lose a descriptor that came with it.
            writer.put(UInt32(1))
            writer.put(position)
            let reply = header.answer(.replyWithDescriptors).message(writer.bytes)
            return [Piece(bytes: reply), Piece(bytes: [0], carriesDescriptor: true)]
        case .position(let position): writer.put(position)
        case .text(let text): writer.put(text)
        case .appended: writer.put(Int32(0))
        case .failed(let error): return [Piece(bytes: Self.refusal(header, error))]
        }
        return [Piece(bytes: header.answer(.reply).message(writer.bytes))]
    }

    private static func refusal(_ header: MessageHeader, _ error: LogManagerError) -> [UInt8] {
        header.answer(.reply, .error).message(error.payload)
    }
}

extension XDRWriter {
    fileprivate mutating func put(_ position: LogPosition) {
        put(position.inode)
        put(position.offset)
    }
}
