// SPDX-License-Identifier: Apache-2.0

/// The client's side of the Telnet protocol (RFC 854, RFC 855), for a server that begins with a negotiation.
///
/// Its commands are taken out of the output and answered, a doubled 255 is one byte, and input is encoded. A console
/// needs three options, which are accepted: binary transmission (RFC 856), the server's echo (RFC 857), and the
/// suppression of Go Ahead (RFC 858). An option is answered only when it changes, so that the two ends never answer each
/// other without end.
struct TelnetStream {
    private enum State {
        case text
        /// After a carriage return, which a NUL follows when it stands alone.
        case carriageReturn
        /// After the byte that introduces a command.
        case command
        /// After a negotiation's command.
        case option(UInt8)
        /// In a subnegotiation of so many bytes, and after the introducing byte there.
        case subnegotiation(Int)
        case subnegotiationCommand(Int)
    }

    private enum Code {
        static let interpretAsCommand: UInt8 = 255
        static let dont: UInt8 = 254
        static let `do`: UInt8 = 253
        static let wont: UInt8 = 252
        static let will: UInt8 = 251
        static let subnegotiation: UInt8 = 250
        static let subnegotiationEnd: UInt8 = 240
        static let carriageReturn: UInt8 = 13
        static let null: UInt8 = 0
    }

    private enum Option {
        static let binary: UInt8 = 0
        static let echo: UInt8 = 1
        static let suppressGoAhead: UInt8 = 3
    }

    /// Those of consoles have some tens of bytes. A longer one has no end: what follows is output again.
    private static let longestSubnegotiation = 256

    private var state = State.text
    /// The options in effect at the server, and at this end.
    private var remote: Set<UInt8> = []
    private var local: Set<UInt8> = []
    /// The options that were refused at each end: the same request again is not answered again.
    private var refusedRemote: Set<UInt8> = []
    private var refusedLocal: Set<UInt8> = []

    /// A stream before its first byte; or, when it `isResumed`, one of which an earlier process negotiated the options.
    init(isResumed: Bool = false) {
        if isResumed {
            remote = [Option.binary, Option.echo, Option.suppressGoAhead]
            local = [Option.binary, Option.suppressGoAhead]
        }
    }

    /// Whether output that begins with `bytes` is a Telnet server's: a negotiation, of which the second byte may be
    /// missing yet.
    static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.first == Code.interpretAsCommand else {
            return false
        }
        return bytes.count == 1 || (Code.will...Code.dont).contains(bytes[1])
    }

    /// Decodes `bytes` in place; returns how many bytes of output remain, and appends the answers to `answer`.
    mutating func decode(_ bytes: UnsafeMutableRawBufferPointer, answer: inout [UInt8]) -> Int {
        var count = 0
        for byte in bytes {
            if let output = decode(byte, &answer) {
                bytes[count] = output
                count += 1
            }
        }
        return count
    }

    /// Decodes one byte; returns the byte of output, if there is one.
    private mutating func decode(_ byte: UInt8, _ answer: inout [UInt8]) -> UInt8? {
        switch state {
        case .text, .carriageReturn:
            if case .carriageReturn = state, byte == Code.null, !remote.contains(Option.binary) {
                state = .text
                return nil
            }
            guard byte != Code.interpretAsCommand else {
                state = .command
                return nil
            }
            state = byte == Code.carriageReturn ? .carriageReturn : .text
            return byte
        case .command:
            switch byte {
            case Code.interpretAsCommand:
                state = .text
                return byte
            case Code.will...Code.dont: state = .option(byte)
            case Code.subnegotiation: state = .subnegotiation(0)
            default: state = .text
            }
        case .option(let command):
            state = .text
            negotiate(command, byte, &answer)
        case .subnegotiation(let count):
            guard count < Self.longestSubnegotiation else {
                state = .text
                return byte
            }
            state = byte == Code.interpretAsCommand ? .subnegotiationCommand(count) : .subnegotiation(count + 1)
        case .subnegotiationCommand(let count):
            state = byte == Code.subnegotiationEnd ? .text : .subnegotiation(count + 1)
        }
        return nil
    }

    private mutating func negotiate(_ command: UInt8, _ option: UInt8, _ answer: inout [UInt8]) {
        let reply: UInt8?
        switch command {
        case Code.will:
            let isAccepted = [Option.binary, Option.echo, Option.suppressGoAhead].contains(option)
            let isNew = isAccepted ? remote.insert(option).inserted : refusedRemote.insert(option).inserted
            reply = isNew ? (isAccepted ? Code.do : Code.dont) : nil
        case Code.wont:
            reply = remote.remove(option) != nil ? Code.dont : nil
        case Code.do:
            let isAccepted = [Option.binary, Option.suppressGoAhead].contains(option)
            let isNew = isAccepted ? local.insert(option).inserted : refusedLocal.insert(option).inserted
            reply = isNew ? (isAccepted ? Code.will : Code.wont) : nil
        default:
            reply = local.remove(option) != nil ? Code.wont : nil
        }
        if let reply {
            answer += [Code.interpretAsCommand, reply, option]
        }
    }

    /// Encodes input for the server: 255 is doubled, and without binary transmission a NUL follows a carriage return.
    func encode(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(bytes.count + 8)
        for byte in bytes {
            encoded.append(byte)
            if byte == Code.interpretAsCommand {
                encoded.append(byte)
            } else if byte == Code.carriageReturn, !local.contains(Option.binary) {
                encoded.append(Code.null)
            }
        }
        return encoded
    }
}
