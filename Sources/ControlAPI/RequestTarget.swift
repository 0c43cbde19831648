// SPDX-License-Identifier: Apache-2.0

/// A request's path and parameters, percent-decoded.
public struct RequestTarget: Hashable, Sendable {
    public var components: [String]
    /// The parameters' values in order, by name.
    public var parameters: [String: [String]]

    /// The target `text`, such as `/v1/logs?vm=web`; nil for malformed percent-encoding.
    public init?(_ text: String) {
        let halves = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        components = []
        parameters = [:]
        for part in (halves.first ?? "").split(separator: "/") {
            guard let decoded = Self.decode(part) else {
                return nil
            }
            components.append(decoded)
        }
        for pair in halves.dropFirst().first?.split(separator: "&") ?? [] {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            // In parameters, as in forms, `+` is a space; in a path it is not special.
            let decoded = parts.map { Self.decode(Substring($0.replacing("+", with: " "))) }
            guard let name = decoded[0], let value = decoded.count > 1 ? decoded[1] : "" else {
                return nil
            }
            parameters[name, default: []].append(value)
        }
    }

    public init(_ components: [String], _ parameters: [String: [String]] = [:]) {
        self.components = components
        self.parameters = parameters
    }

    public subscript(name: String) -> String? { parameters[name]?.first }

    /// Whether the parameter is present and not `0` or `false`.
    public func flag(_ name: String) -> Bool {
        guard let value = self[name] else {
            return false
        }
        return value != "0" && value != "false"
    }

    /// The target as it is written in a request.
    public var text: String {
        let path = "/" + components.map(Self.encode).joined(separator: "/")
        let pairs = parameters.sorted { $0.key < $1.key }.flatMap { name, values in
            values.map { Self.encode(name) + "=" + Self.encode($0) }
        }
        return pairs.isEmpty ? path : path + "?" + pairs.joined(separator: "&")
    }

    static func decode(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.first != UInt8(ascii: "+"),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else {
                return nil
            }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }

    static func encode(_ text: String) -> String {
        var encoded = ""
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.append(Character(Unicode.Scalar(byte)))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                encoded += digits.utf8.count == 1 ? "%0" + digits : "%" + digits
            }
        }
        return encoded
    }
}
