// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import TextFormats

/// The protocols that one port serves, told apart by the first bytes of a connection.
enum GuestProtocol: Hashable {
    /// The agent's own.
    case agent
    /// The Journal Export Format.
    case journal
    /// HTTP: `POST /upload`.
    case upload
    /// gRPC: ChromeOS's `vm_tools.LogCollector`.
    case logCollector
    /// Syslog over TCP (RFC 6587).
    case syslog(SyslogFrames.Framing)

    /// The protocol of a connection that begins with `bytes`; nil when they are too few to
    /// tell. Throws when the protocol is unknown.
    static func detect(_ bytes: [UInt8]) throws(UnknownProtocol) -> GuestProtocol? {
        guard let first = bytes.first else {
            return nil
        }
        switch first {
        case GuestFrame.magic[0]:
            return .agent
        case UInt8(ascii: "\n"):
            // Empty lines end entries, also before the first.
            return .journal
        case UInt8(ascii: "<"):
            return try detectPriority(bytes) ? .syslog(.lines) : nil
        default:
            return try detectWord(bytes)
        }
    }

    /// Whether PRI begins `bytes`; false when they are too few.
    private static func detectPriority(_ bytes: [UInt8]) throws(UnknownProtocol) -> Bool {
        let digits = bytes.dropFirst().prefix(while: \.isDecimalDigit)
        guard digits.count <= 3, digits.endIndex == bytes.count || bytes[digits.endIndex] == UInt8(ascii: ">"),
            digits.endIndex == bytes.count || !digits.isEmpty
        else {
            throw UnknownProtocol(beginning: bytes)
        }
        return digits.endIndex < bytes.count
    }

    private static func detectWord(_ bytes: [UInt8]) throws(UnknownProtocol) -> GuestProtocol? {
        // A journal field's name ends with `=` or a line feed: no method of HTTP does, nor is a space in a name.
        guard let end = bytes.firstIndex(where: { !isNamePart($0) }) else {
            guard bytes.count <= longestName else {
                throw UnknownProtocol(beginning: bytes)
            }
            return nil
        }
        guard end > 0, bytes[end] == UInt8(ascii: " ") else {
            guard end > 0, bytes[end] == UInt8(ascii: "=") || bytes[end] == UInt8(ascii: "\n") else {
                throw UnknownProtocol(beginning: bytes)
            }
            return .journal
        }
        guard end + 1 < bytes.count else {
            return nil
        }
        let (word, next) = (bytes[..<end], bytes[end + 1])
        if word.allSatisfy(\.isDecimalDigit), next == UInt8(ascii: "<") {
            return .syslog(.octetCounting)
        }
        guard word.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }), "/*".utf8.contains(next) else {
            throw UnknownProtocol(beginning: bytes)
        }
        // HTTP/2 begins with a method that HTTP/1.1 does not have.
        return word.elementsEqual("PRI".utf8) ? .logCollector : .upload
    }

    private static let longestName = 64

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || byte.isDecimalDigit
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xdf)
    }
}

/// A connection that begins with none of the protocols.
struct UnknownProtocol: Error, Hashable, CustomStringConvertible {
    let description: String

    private static let served = """
        this port serves guestlog-agent, the Journal Export Format, POST /upload, vm_tools.LogCollector and syslog over \
        TCP, all without TLS
        """

    init(beginning bytes: [UInt8]) {
        self.init("it sends \(Self.name(of: bytes))")
    }

    /// The first entry of what would be a journal has this fault.
    init(_ fault: JournalExportFault) {
        self.init("its first bytes are not the Journal Export Format: \(fault)")
    }

    private init(_ words: String) {
        description = "\(words); \(Self.served)"
    }

    private static func name(of bytes: [UInt8]) -> String {
        if bytes.starts(with: [0x16, 0x03]) {
            return "TLS"
        }
        if bytes.starts(with: "SSH-".utf8) {
            return "SSH"
        }
        let words = bytes.prefix(32).split(separator: UInt8(ascii: " "))
        if words.count > 1, words[0].elementsEqual("1".utf8), words[1].elementsEqual("open".utf8) {
            return "RELP"
        }
        let text = String(decoding: TerminalEscaper.escape(bytes.prefix(32), style: .field), as: UTF8.self)
        return "an unknown protocol, which begins with '\(text)'"
    }
}
