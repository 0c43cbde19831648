// SPDX-License-Identifier: Apache-2.0

/// A pattern of rules: `*` is any bytes, `?` one byte, `\` takes the next one literally. It is matched against a whole
/// value, so that `kata` does not match `kata-proxy`.
public struct GlobPattern: Hashable, Sendable, CustomStringConvertible {
    private enum Part: Hashable {
        case byte(UInt8)
        case any
        case run
    }

    public let description: String
    private let parts: [Part]

    public init(_ text: String) {
        description = text
        var parts: [Part] = []
        var rest = text.utf8.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "*"):
                // Several in a row are one.
                if parts.last != .run {
                    parts.append(.run)
                }
            case UInt8(ascii: "?"): parts.append(.any)
            case UInt8(ascii: "\\"): parts.append(.byte(rest.next() ?? byte))
            default: parts.append(.byte(byte))
            }
        }
        self.parts = parts
    }

    /// Whether the whole of `value` matches. Takes at most the product of both lengths.
    func matches(_ value: some Collection<UInt8>) -> Bool {
        let value = Array(value)
        return Self.matches(parts, value.map { .byte($0) })
    }

    /// Whether everything that `other` matches is matched by this pattern, as far as that is easy to tell: true is
    /// certain.
    func covers(_ other: GlobPattern) -> Bool { Self.matches(parts, other.parts) }

    private static func matches(_ pattern: [Part], _ text: [Part]) -> Bool {
        var (patternIndex, textIndex) = (0, 0)
        var retry: (patternIndex: Int, textIndex: Int)?
        while textIndex < text.count {
            if patternIndex < pattern.count, pattern[patternIndex] == .run {
                retry = (patternIndex + 1, textIndex)
                patternIndex += 1
            } else if patternIndex < pattern.count, text[textIndex] != .run,
                pattern[patternIndex] == .any || pattern[patternIndex] == text[textIndex]
            {
                patternIndex += 1
                textIndex += 1
            } else if let last = retry {
                retry = (last.patternIndex, last.textIndex + 1)
                (patternIndex, textIndex) = (last.patternIndex, last.textIndex + 1)
            } else {
                return false
            }
        }
        return pattern[patternIndex...].allSatisfy { $0 == .run }
    }
}
