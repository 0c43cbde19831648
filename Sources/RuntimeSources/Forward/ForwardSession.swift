// SPDX-License-Identifier: Apache-2.0

import CBytes
import TextFormats

/// One sender of the Forward protocol, from its first byte: the handshake, where a shared key is required, and then
/// messages. Without I/O.
struct ForwardSession {
    enum State: Hashable {
        /// HELO was sent; PING is awaited.
        case handshake(nonce: String)
        case open
        case ended
    }

    /// What is to be done.
    enum Action {
        case send([UInt8])
        case take(ForwardMessage)
        /// The connection is closed.
        case end(ForwardMessage.Fault)
    }

    private(set) var state: State
    private let sharedKey: [UInt8]
    private let hostName: String
    private var received: [UInt8] = []
    private var scanner = MessagePackScanner()

    /// The memory of what is incomplete, in bytes.
    var waiting: Int { received.count }

    /// A session with a sender that must know `sharedKey`; nil: with any. `nonce` is random text, of this connection.
    init(sharedKey: [UInt8]?, hostName: String, nonce: String) {
        self.sharedKey = sharedKey ?? []
        self.hostName = hostName
        state = sharedKey == nil ? .open : .handshake(nonce: nonce)
    }

    /// What is sent when the connection begins.
    var greeting: [UInt8] {
        guard case .handshake(let nonce) = state else {
            return []
        }
        var helo: [UInt8] = []
        MessagePackWriter.append(arrayOf: 2, to: &helo)
        MessagePackWriter.append(string: "HELO", to: &helo)
        MessagePackWriter.append(mapOf: 3, to: &helo)
        MessagePackWriter.append(string: "nonce", to: &helo)
        MessagePackWriter.append(string: nonce, to: &helo)
        // No user is asked for.
        MessagePackWriter.append(string: "auth", to: &helo)
        MessagePackWriter.append(string: "", to: &helo)
        MessagePackWriter.append(string: "keepalive", to: &helo)
        MessagePackWriter.append(bool: true, to: &helo)
        return helo
    }

    /// Takes bytes of the sender; returns what is to be done, in order: the same, wherever the bytes are divided.
    mutating func receive(_ bytes: UnsafeRawBufferPointer) -> [Action] {
        received.append(contentsOf: bytes)
        var used = 0
        var actions: [Action] = []
        do throws(ForwardMessage.Fault) {
            while state != .ended, let value = try nextValue(after: &used) {
                guard case .handshake(let nonce) = state else {
                    actions += try ForwardMessage(value).map { [.take($0)] } ?? []
                    continue
                }
                actions.append(.send(try pong(answering: value, nonce)))
                state = .open
            }
        } catch {
            state = .ended
            used = received.count
            actions.append(.end(error))
        }
        received.removeFirst(used)
        return actions
    }

    private mutating func nextValue(after used: inout Int) throws(ForwardMessage.Fault) -> MessagePackValue? {
        let rest = received[used...]
        if let first = rest.first, first == UInt8(ascii: "{") || first == UInt8(ascii: "[") {
            throw ForwardMessage.Fault(description: "the sender writes JSON; Forward requires MessagePack")
        }
        let size: Int?
        do throws(MessagePackScanner.Malformed) {
            size = try scanner.size(in: rest, limit: ForwardLimits.message)
        } catch {
            throw ForwardMessage.Fault(description: "the sender does not speak the Forward protocol")
        }
        guard let size else {
            guard rest.count <= ForwardLimits.message else {
                throw ForwardMessage.Fault(
                    description:
                        "a message has more than \(ForwardLimits.message >> 20) MiB; make the sender's chunks smaller"
                )
            }
            return nil
        }
        used += size
        var reader = MessagePackReader(rest.prefix(size))
        do throws(MessagePackReader.Failure) {
            return try reader.next()
        } catch {
            throw ForwardMessage.Fault(description: "a message has too many values, or is nested too deeply")
        }
    }

    /// Checks that the sender knows the key, and proves the same.
    private func pong(answering ping: MessagePackValue, _ nonce: String) throws(ForwardMessage.Fault) -> [UInt8] {
        guard case .array(let parts) = ping, parts.count == 6, parts[0].text == "PING",
            case .bytes(let host) = parts[1],
            case .bytes(let salt) = parts[2], case .bytes(let digest) = parts[3]
        else {
            throw ForwardMessage.Fault(description: "the sender did not begin with PING; give it the shared key")
        }
        let expected = SHA512.hexadecimal(Array(salt) + Array(host) + Array(nonce.utf8) + sharedKey)
        guard Self.areEqual(Array(digest), Array(expected.utf8)) else {
            throw ForwardMessage.Fault(description: "the sender's shared key differs from that in shared_key_file")
        }
        guard !host.elementsEqual(hostName.utf8) else {
            throw ForwardMessage.Fault(
                description: "the sender has the name of this receiver; give one of them another"
            )
        }
        var pong: [UInt8] = []
        MessagePackWriter.append(arrayOf: 5, to: &pong)
        MessagePackWriter.append(string: "PONG", to: &pong)
        MessagePackWriter.append(bool: true, to: &pong)
        MessagePackWriter.append(string: "", to: &pong)
        MessagePackWriter.append(string: hostName, to: &pong)
        let answer = SHA512.hexadecimal(Array(salt) + Array(hostName.utf8) + Array(nonce.utf8) + sharedKey)
        MessagePackWriter.append(string: answer, to: &pong)
        return pong
    }

    /// Compares in a time that does not depend on where they differ.
    private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.count == right.count && gl_equal_in_constant_time(left, right, left.count)
    }
}
