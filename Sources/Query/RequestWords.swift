// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import TextFormats

/// Parses the words of a request. `name` is what the word was given for, such as `--since` or `since`: errors name it.
public enum RequestWords {
    /// The time `word`, relative to `now`, in this machine's zone.
    public static func time(_ name: String, _ word: String, now: Timestamp) throws(QueryError) -> WrittenTime {
        do throws(WordError) {
            return try TimeWords.parse(word, now: now, zone: .system)
        } catch {
            throw QueryError(.badRequest, "\(name): \(error)")
        }
    }

    /// The character set `word`, for all VMs.
    public static func charset(_ word: String) throws(QueryError) -> CharsetRules {
        CharsetRules([CharsetRules.Rule(vms: .all, charset: try Charset(word))])
    }

    /// The number `word`, 0 or more.
    public static func count(_ name: String, _ word: String) throws(QueryError) -> Int {
        guard let count = Int(word), count >= 0 else {
            throw QueryError(.badRequest, "\(name)=\(word): must be a whole number, 0 or more")
        }
        return count
    }

    /// The number of lines of a context `word`.
    public static func context(_ name: String, _ word: String) throws(QueryError) -> Int {
        let count = try count(name, word)
        guard count <= ContextSize.largest else {
            throw QueryError(.badRequest, "\(name)=\(count): must be at most \(ContextSize.largest)")
        }
        return count
    }

    /// Throws when `selection` has a context but selects no lines to which it could belong. `option` and `filters` name
    /// the parts of the request.
    public static func checkContext(
        of selection: Selection,
        option: String,
        filters: String
    ) throws(QueryError) {
        guard selection.context.isEmpty || selection.filtersByText else {
            throw QueryError(.badRequest, "\(option): a context needs a filter; add \(filters)")
        }
    }

    /// The limit `word`; nil for 0, which means no limit, as in kubectl.
    public static func limit(_ name: String, _ word: String) throws(QueryError) -> Int? {
        let limit = try count(name, word)
        return limit == 0 ? nil : limit
    }

    /// The number of last lines `word`; nil for all lines: `all`, and `-1` as in docker and kubectl.
    public static func tail(_ name: String, _ word: String) throws(QueryError) -> Int? {
        if word == "all" || word == "-1" {
            return nil
        }
        guard !word.hasPrefix("+"), let tail = Int(word), tail >= 0 else {
            let hint = word.hasPrefix("+") ? "; for the first lines use head" : ""
            throw QueryError(.badRequest, "\(name)=\(word): must be a whole number, 0 or more, or all\(hint)")
        }
        guard tail <= Selection.largestTail else {
            throw QueryError(
                .badRequest,
                "\(name)=\(tail): must be at most \(Selection.largestTail); omit it for the whole log"
            )
        }
        return tail
    }

    /// The number of a boot.
    public static func boot(_ name: String, _ word: String) throws(QueryError) -> Int {
        guard let boot = Int(word) else {
            throw QueryError(
                .badRequest,
                "\(name)=\(word): must be a whole number; 0 is the latest boot, -1 the one before"
            )
        }
        return boot
    }

    /// The severities that `word` selects: one and what is worse, `err`, or a range as journalctl has it, `err..alert`.
    public static func severities(_ word: String) throws(QueryError) -> ClosedRange<Severity> {
        let ends = word.split(separator: "..", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        var severities = ends.count == 1 ? [Severity.emergency] : []
        for end in ends {
            guard let severity = Severity(word: end) else {
                throw QueryError(
                    .badRequest,
                    "unknown severity '\(end)': use emerg, alert, crit, err, warning, notice, info, debug, or two of them as "
                        + "in warning..err"
                )
            }
            severities.append(severity)
        }
        return severities.min()!...severities.max()!
    }

    /// The severities in the form that `severities` parses.
    public static func text(of severities: ClosedRange<Severity>) -> String {
        severities.lowerBound == .emergency
            ? severities.upperBound.name : "\(severities.upperBound.name)..\(severities.lowerBound.name)"
    }

    public static func stream(_ word: String) throws(QueryError) -> StreamName {
        guard let stream = StreamName(word) else {
            throw QueryError(.badRequest, "'\(word)' is not a stream name: use \(StreamName.rule)")
        }
        return stream
    }

    public static func format(_ word: String) throws(QueryError) -> OutputFormat {
        guard let format = OutputFormat(word: word) else {
            let remedy =
                switch word {
                case "verbose": "; json shows all fields"
                case "with-unit": "; json shows the unit of a record, as _SYSTEMD_UNIT"
                case _ where word.hasPrefix("json-"): "; json has an object a line"
                case _ where word.hasPrefix("short-"): "; text with --timestamps has times to the microsecond"
                default: ""
                }
            throw QueryError(.badRequest, "unknown format \(word): use one of \(OutputFormat.names)\(remedy)")
        }
        return format
    }

    /// The field matches `words`.
    public static func fields(_ words: [String]) throws(QueryError) -> FieldMatches {
        do throws(WordError) {
            return try FieldMatches(words)
        } catch {
            throw QueryError(.badRequest, "\(error)")
        }
    }

    /// A pattern that matches where one of `words` does. Case is decided for each of them, as for a single one.
    public static func pattern(
        anyOf words: [String],
        ignoreCase: Bool?,
        isBounded: Bool = false
    ) throws(QueryError) -> Pattern {
        guard words.count > 1 else {
            return try pattern(words.first ?? "", ignoreCase: ignoreCase, isBounded: isBounded)
        }
        var alternatives: [String] = []
        for word in words {
            let alone = try pattern(word, ignoreCase: ignoreCase)
            alternatives.append(try group(word, alone.ignoresCase))
        }
        // A branch reset: each alternative numbers its groups from 1.
        return try pattern("(?|" + alternatives.joined(separator: "|") + ")", ignoreCase: false, isBounded: isBounded)
    }

    /// The pattern `word`, valid alone, in parentheses: the end of the expression may have ended a quotation (`\Q`) or a
    /// comment of the extended syntax, in which the parenthesis has no meaning.
    private static func group(_ word: String, _ ignoresCase: Bool) throws(QueryError) -> String {
        for end in ["", "\\E", "\n"] {
            let group = "(?\(ignoresCase ? "i" : "-i"):\(word)\(end))"
            if (try? Pattern(group, ignoreCase: false)) != nil {
                return group
            }
        }
        throw QueryError(
            .badRequest,
            "the pattern '\(VMLookup.quoted(word))' cannot be combined with others; use it alone"
        )
    }

    /// The pattern `word`. It ignores case when that is true, or nil and the word is all lower case. With `isBounded`
    /// matching has a deadline: for requests of others.
    public static func pattern(
        _ word: String,
        ignoreCase: Bool?,
        isBounded: Bool = false
    ) throws(QueryError) -> Pattern {
        do {
            return try Pattern(word, ignoreCase: ignoreCase, isBounded: isBounded)
        } catch {
            throw QueryError(.badRequest, "\(error)")
        }
    }
}
