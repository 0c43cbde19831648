// SPDX-License-Identifier: Apache-2.0

import GuestChannel

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

    /// The protocol of a connection that begins with `bytes`; nil when they are too few.
    static func detect(_ bytes: some Collection<UInt8>) -> GuestProtocol? {
        guard let first = bytes.first else {
            return nil
        }
        guard first != GuestFrame.magic[0] else {
            return .agent
        }
        // A journal field's name ends with `=` or a line feed: no method of HTTP does, nor is a space in a name.
        guard let end = bytes.firstIndex(where: { !isNamePart($0) }) else {
            return bytes.count > longestName ? .journal : nil
        }
        guard bytes[end] == UInt8(ascii: " ") else {
            return .journal
        }
        // HTTP/2 begins with a method that HTTP/1.1 does not have.
        return bytes.starts(with: "PRI ".utf8) ? .logCollector : .upload
    }

    private static let longestName = 64

    private static func isNamePart(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "_") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xdf)
    }
}
