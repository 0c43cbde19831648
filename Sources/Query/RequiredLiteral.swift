/// Finds bytes that every match of an expression contains.
///
/// It reads just enough of PCRE2's syntax to be right, and gives up at anything else: a literal that a match may lack
/// would hide lines, one that is missed costs only time. Groups and classes count for nothing, a character counts
/// unless what follows it makes it optional, and a choice outside groups ends the search.
enum RequiredLiteral {
    /// The longest such run in `expression`, which PCRE2 has accepted and which heeds case; nil when there is none or
    /// it is not certain.
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
        /// The bytes of the run's last character, when it is the expression's last item: what a quantifier means.
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

        /// Takes what begins with `byte`; false when nothing is certain any more.
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
                // Once at least, but what follows may come later.
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
                // The rest of a character that has begun.
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

        /// Steps over `n}`, `n,}`, `n,m}`. Any other brace may be a literal: give up.
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
            // Classes and places, without arguments.
            case _ where "dDwWsShHvVRXbBAZzGK".utf8.contains(byte): endRun()
            // Letters and digits that are left take arguments, or change what follows.
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

        /// Steps over the rest of a group, groups and classes inside it included.
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

        /// Steps over what follows a backslash, unless it would quote a bracket: \Q the text up to \E, \c one character.
        private mutating func skipEscape() -> Bool {
            rest.popFirst().map { !"QEc".utf8.contains($0) } ?? false
        }

        /// Whether the group whose parenthesis was taken sets no options, is no verb, comment, condition or call.
        private var isPlainGroup: Bool {
            switch rest.first {
            case UInt8(ascii: "*"): false
            case UInt8(ascii: "?"): rest.dropFirst().first.map { ":=!<>".utf8.contains($0) } ?? false
            default: true
            }
        }

        /// Steps over the rest of a class.
        private mutating func skipClass() -> Bool {
            if rest.first == UInt8(ascii: "^") {
                rest.removeFirst()
            }
            // A bracket that comes first is one of the class.
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

        /// Steps over `:alpha:]`.
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
