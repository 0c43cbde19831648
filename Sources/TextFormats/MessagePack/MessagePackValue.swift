// SPDX-License-Identifier: Apache-2.0

/// A value of MessagePack.
public indirect enum MessagePackValue: Hashable, Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    /// An integer beyond `Int64`.
    case unsigned(UInt64)
    case float(Double)
    /// A string or a binary: receivers of logs treat both alike.
    case bytes(ArraySlice<UInt8>)
    case array([MessagePackValue])
    case map([(key: MessagePackValue, value: MessagePackValue)])
    case extended(type: Int8, ArraySlice<UInt8>)

    public static func == (left: MessagePackValue, right: MessagePackValue) -> Bool {
        switch (left, right) {
        case (.null, .null): true
        case (.bool(let a), .bool(let b)): a == b
        case (.integer(let a), .integer(let b)): a == b
        case (.unsigned(let a), .unsigned(let b)): a == b
        case (.float(let a), .float(let b)): a == b
        case (.bytes(let a), .bytes(let b)): a == b
        case (.array(let a), .array(let b)): a == b
        case (.map(let a), .map(let b)):
            a.count == b.count && zip(a, b).allSatisfy { $0.key == $1.key && $0.value == $1.value }
        case (.extended(let a, let b), .extended(let c, let d)): a == c && b == d
        default: false
        }
    }

    public func hash(into hasher: inout Hasher) {
        if case .bytes(let bytes) = self {
            hasher.combine(bytes)
        }
    }

    /// The text of a string; nil for other values, and when it is not UTF-8.
    public var text: String? {
        guard case .bytes(let bytes) = self else {
            return nil
        }
        return String(validating: bytes, as: UTF8.self)
    }

    /// The value of a map's member.
    public subscript(name: String) -> MessagePackValue? {
        guard case .map(let members) = self else {
            return nil
        }
        return members.first { $0.key.text == name }?.value
    }
}
