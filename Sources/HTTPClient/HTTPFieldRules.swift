// SPDX-License-Identifier: Apache-2.0

/// What the fields of a request may be (RFC 9110, section 5), for settings: a request with another one is not sent.
public enum HTTPFieldRules {
    /// Fields that the client sets, from the body and the connection.
    private static let own: Set = [
        "connection", "content-encoding", "content-length", "content-type", "transfer-encoding",
    ]

    /// Why requests cannot have the field `name` with `value`, and what to do; nil when they can.
    public static func fault(inName name: String, value: String) -> String? {
        guard !name.isEmpty, name.utf8.allSatisfy(isTokenByte) else {
            return "'\(name)' is not a name of a header: use letters, digits and -"
        }
        guard !own.contains(name.lowercased()) else {
            return "\(name) is set by guestlog: remove it"
        }
        guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == UInt8(ascii: "\t") }) else {
            return "the value of \(name) contains a control character, such as the end of a line: remove it"
        }
        return nil
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
