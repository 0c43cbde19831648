// SPDX-License-Identifier: Apache-2.0

import LogModel
import RuntimeSources
import TextFormats
import Transforms

// The section `pipelines`: what records of runtime logs become on their way into the store.
extension Configuration {
    /// Parts of the pipelines that can never have an effect.
    public var pipelineFaults: [String] {
        pipeline.faults(tags: sources.map(\.tag)).map { "pipelines[\($0.stage)]: \($0)" }
    }

    static func readPipelines(_ top: ConfigurationReader) throws(ConfigurationError) -> [PipelineStage] {
        var stages: [PipelineStage] = []
        for section in try top.list("pipelines") {
            try section.allow(["match", "filters"])
            guard let match = try section.text("match") else {
                let missing = section.error(at: nil, "match is missing: the tags of the records, such as kata or '*'")
                try section.fail(missing)
                continue
            }
            var filters: [RecordFilter] = []
            for filter in try section.list("filters") {
                filters += try filter.attempt([]) { filter throws(ConfigurationError) in [try readFilter(filter)] }
            }
            stages.append(PipelineStage(match: match, filters: filters))
        }
        return stages
    }

    private static let filterNames = [
        "parser", "add_prefix", "rename", "remove", "keep", "set", "drop", "severity", "rewrite_tag", "drop_copies",
    ]

    private static func readFilter(_ section: ConfigurationReader) throws(ConfigurationError) -> RecordFilter {
        try section.allow(filterNames)
        let given = filterNames.filter(section.has)
        guard given.count == 1, let name = given.first else {
            throw section.error(at: nil, "a filter is a mapping with one of \(filterNames.joined(separator: ", "))")
        }
        switch name {
        case "parser": return .parser(try readParser(try section.section("parser")))
        case "add_prefix": return .addPrefix(Array((try section.text(name) ?? "").utf8))
        case "rename": return .rename(try readValues(section, name))
        case "set": return .set(try readValues(section, name))
        case "remove": return .remove((try section.texts(name) ?? []).map(FieldPath.init))
        case "keep": return .keep((try section.texts(name) ?? []).map(FieldPath.init))
        case "drop": return .drop(try readMatches(section, name))
        case "severity": return .severity(try readSeverity(try section.section(name)))
        case "rewrite_tag": return .rewriteTag(try readRules(section, name))
        default:
            guard try section.flag(name) == true else {
                throw section.error(at: name, "drop_copies must be true")
            }
            return .dropCopies
        }
    }

    private static func readParser(_ section: ConfigurationReader) throws(ConfigurationError) -> ParserFilter {
        try section.allow([
            "key_name", "format", "reserve_data", "reserve_time", "keep_time_key", "time_key", "inject_key_prefix",
            "remove_key_name_field", "flatten",
        ])
        guard let key = try section.text("key_name") else {
            throw section.error(at: nil, "key_name is missing: the field to parse, such as MESSAGE")
        }
        var parser = ParserFilter(key: key, format: try readFormat(section) ?? .text)
        guard parser.format != .text else {
            throw section.error(at: "format", "format is missing: use one of \(parserFormatNames)")
        }
        guard parser.format.hasLines else {
            throw section.error(
                at: "format",
                "format: \(parser.format.rawValue) is a format of files, not of a field; use one of \(parserFormatNames)"
            )
        }
        parser.reservesData = try section.flag("reserve_data") ?? false
        parser.reservesTime = try section.flag("reserve_time") ?? false
        parser.keepsTimeKey = try section.flag("keep_time_key") ?? false
        parser.timeKey = Array((try section.text("time_key") ?? "time").utf8)
        parser.prefix = Array((try section.text("inject_key_prefix") ?? "").utf8)
        parser.removesKey = try section.flag("remove_key_name_field") ?? false
        parser.flattens = try section.flag("flatten") ?? false
        return parser
    }

    /// The formats of a field.
    private static let parserFormatNames = RecordFormat.allCases.filter { $0.hasLines && $0 != .text }
        .map(\.rawValue).joined(separator: ", ")

    private static let formatNames = RecordFormat.allCases.map(\.rawValue).joined(separator: ", ")

    /// The format of records; nil when none is given.
    static func readFormat(_ section: ConfigurationReader) throws(ConfigurationError) -> RecordFormat? {
        guard let word = try section.text("format") else {
            return nil
        }
        guard let format = RecordFormat(rawValue: word) else {
            throw section.error(at: "format", "unknown format \(word); use \(formatNames)")
        }
        return format
    }

    private static func readValues(
        _ section: ConfigurationReader,
        _ key: String
    ) throws(ConfigurationError) -> [FieldValue] {
        try section.pairs(key).map { FieldValue($0.name, $0.text) }
    }

    /// Conditions: a list of mappings, of which one must hold, or a single one; each of fields to a pattern or several.
    static func readMatches(
        _ section: ConfigurationReader,
        _ key: String
    ) throws(ConfigurationError) -> [RecordMatch] {
        try section.mappings(key).map { fields in
            RecordMatch(fields.map { RecordMatch.Field($0.name, $0.values) })
        }
    }

    private static func readSeverity(_ section: ConfigurationReader) throws(ConfigurationError) -> SeverityFilter {
        try section.allow(["key", "values"])
        guard let key = try section.text("key") else {
            throw section.error(at: nil, "key is missing: the field with the level, such as level")
        }
        var words: [String: Severity] = [:]
        for (word, level) in try section.pairs("values") {
            guard let severity = Severity(word: level) else {
                throw section.error(at: "values", "\(level) is not a severity; use emerg, alert … debug or 0 to 7")
            }
            words[word] = severity
        }
        return SeverityFilter(key: key, words: words)
    }

    private static func readRules(
        _ section: ConfigurationReader,
        _ key: String
    ) throws(ConfigurationError) -> [TagRule] {
        var rules: [TagRule] = []
        for rule in try section.list(key) {
            try rule.allow(["key", "pattern", "tag"])
            guard let field = try rule.text("key"), let pattern = try rule.text("pattern"),
                let tag = try rule.text("tag")
            else {
                throw rule.error(at: nil, "a rule requires key, pattern and tag")
            }
            if pattern.hasPrefix("/") && pattern.hasSuffix("/") && pattern.count > 1 || pattern.hasPrefix("^") {
                throw rule.error(
                    at: "pattern",
                    "\(pattern): patterns are not regular expressions: * is any text, ? one character, and the whole "
                        + "value must match; '?*' is any text that is not empty"
                )
            }
            rules.append(TagRule(RecordMatch([.init(field, [pattern])]), tag: tag))
        }
        return rules
    }
}
