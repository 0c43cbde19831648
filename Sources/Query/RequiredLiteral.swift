// SPDX-License-Identifier: Apache-2.0

/// Finds bytes that every match of an expression contains.
///
/// It parses the part of PCRE2's syntax that is certain, and gives up otherwise: a literal that a match may lack would
/// hide lines, a missing one costs only time. Groups and classes are skipped, a character counts unless a quantifier
/// makes it optional, and an alternation outside groups ends the search.
enum RequiredLiteral {
    /// The longest such run in `expression`, which PCRE2 has accepted and which is case-sensitive; nil when there is
    /// none or it is not certain.
    static func find(in expression: [UInt8]) -> [UInt8]? {
        var scan = Scan(rest: expression[...])
        while let byte = scan.rest.popFirst() {
            guard scan.take(byte) else {
                return nil
            }
        }
        scan.endRun()
        return scan.longest.isEmpty ? nil : scan.longest
    }

    private struct Scan {
        var rest: ArraySlice<UInt8>
        var longest: [UInt8] = []
        private var run: [UInt8] = []
        /// The bytes of the run's last character, when it is the expression's last item: the operand of a quantifier.
        private var lastCharacter = 0

        init(rest: ArraySlice<UInt8>) {
            self.rest = rest
        }

        mutating func endRun() {
            if run.count > longest.count {
                longest = run
            }
            run.removeAll()
            lastCharacter = 0
        }

        /// Handles the item that begins with `byte`; false when nothing is certain any more.
        mutating func take(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "|"):
                return false
            case UInt8(ascii: "("):
                endRun()
                return skipGroup()
            case UInt8(ascii: "["):
                endRun()
                return skipClass()
            case UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "$"):
                endRun()
            case UInt8(ascii: "*"), UInt8(ascii: "?"):
                dropLastCharacter()
                skipQuantifierSuffix()
            case UInt8(ascii: "+"):
                // At least once, but what follows need not be adjacent.
                endRun()
                skipQuantifierSuffix()
            case UInt8(ascii: "{"):
                dropLastCharacter()
                guard skipCount() else {
                    return false
                }
                skipQuantifierSuffix()
            case UInt8(ascii: "\\"):
                return takeEscape()
            case 0x80...0xbf:
                // A continuation byte.
                run.append(byte)
                lastCharacter += 1
            default:
                run.append(byte)
                lastCharacter = 1
            }
            return true
        }

        private mutating func dropLastCharacter() {
            run.removeLast(lastCharacter)
            endRun()
        }

        private mutating func skipQuantifierSuffix() {
            if rest.first == UInt8(ascii: "?") || rest.first == UInt8(ascii: "+") {
                rest.removeFirst()
            }
        }

        /// Skips `n}`, `n,}`, `n,m}`. Any other brace may be a literal: gives up.
        private mutating func skipCount() -> Bool {
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "}"): return true
                case UInt8(ascii: ","), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
                default: return false
                }
            }
            return false
        }

        private mutating func takeEscape() -> Bool {
            guard let byte = rest.popFirst() else {
                return false
            }
            switch byte {
            case UInt8(ascii: "t"): append(0x09)
            case UInt8(ascii: "n"): append(0x0a)
            case UInt8(ascii: "r"): append(0x0d)
            case UInt8(ascii: "e"): append(0x1b)
            // Classes and assertions without arguments.
            case _ where "dDwWsShHvVRXbBAZzGK".utf8.contains(byte): endRun()
            // The remaining letters and digits have arguments, or change the meaning of what follows.
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), 0x80...:
                return false
            default: append(byte)
            }
            return true
        }

        private mutating func append(_ byte: UInt8) {
            run.append(byte)
            lastCharacter = 1
        }

        /// Skips the rest of a group, with groups and classes inside it.
        private mutating func skipGroup() -> Bool {
            var depth = 1
            guard isPlainGroup else {
                return false
            }
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "\\"):
                    guard skipEscape() else {
                        return false
                    }
                case UInt8(ascii: "["):
                    guard skipClass() else {
                        return false
                    }
                case UInt8(ascii: "("):
                    guard isPlainGroup else {
                        return false
                    }
                    depth += 1
                case UInt8(ascii: ")"):
                    depth -= 1
                    if depth == 0 {
                        return true
                    }
                default: break
                }
            }
            return false
        }

        /// Skips what follows a backslash, unless it would quote a bracket: \Q quotes up to \E, \c one character.
        private mutating func skipEscape() -> Bool {
            rest.popFirst().map { !"QEc".utf8.contains($0) } ?? false
        }

        /// Whether the group sets no options, and is not a verb, comment, condition or call.
        private var isPlainGroup: Bool {
            switch rest.first {
            case UInt8(ascii: "*"): false
            case UInt8(ascii: "?"): rest.dropFirst().first.map { ":=!<>".utf8.contains($0) } ?? false
            default: true
            }
        }

        /// Skips the rest of a class.
        private mutating func skipClass() -> Bool {
            if rest.first == UInt8(ascii: "^") {
                rest.removeFirst()
            }
            // A bracket at the beginning belongs to the class.
            if rest.first == UInt8(ascii: "]") {
                rest.removeFirst()
            }
            while let byte = rest.popFirst() {
                switch byte {
                case UInt8(ascii: "]"):
                    return true
                case UInt8(ascii: "\\"):
                    guard skipEscape() else {
                        return false
                    }
                case UInt8(ascii: "[") where rest.first.map { ":.=".utf8.contains($0) } ?? false:
                    guard skipNamedClass() else {
                        return false
                    }
                default: break
                }
            }
            return false
        }

        /// Skips `:alpha:]`.
        private mutating func skipNamedClass() -> Bool {
            guard rest.popFirst() == UInt8(ascii: ":") else {
                return false
            }
            while let byte = rest.popFirst(), byte != UInt8(ascii: ":") {
                guard byte == UInt8(ascii: "^") || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) else {
                    return false
                }
            }
            return rest.popFirst() == UInt8(ascii: "]")
        }
    }
}
