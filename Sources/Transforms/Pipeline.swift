// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import TextFormats

/// One step of a pipeline.
public enum RecordFilter: Hashable, Sendable {
    /// Parses a field into fields.
    case parser(ParserFilter)
    /// Puts a text before the names of all fields.
    case addPrefix([UInt8])
    /// Renames fields: the names and the new ones.
    case rename([FieldValue])
    /// Removes fields, or members of the objects in them.
    case remove([FieldPath])
    /// Removes all other fields.
    case keep([FieldPath])
    /// Gives fields a value.
    case set([FieldValue])
    /// Drops the records that match one of the conditions.
    case drop([RecordMatch])
    /// Sets the severity.
    case severity(SeverityFilter)
    /// Gives records another tag; they start again at the first stage, as records with that tag. A record that matches
    /// no rule keeps its tag.
    case rewriteTag([TagRule])
    /// Drops the second copy of what two programs write, as the Kata runtime and containerd do.
    case dropCopies
}

/// The ordered filters of the records with certain tags.
public struct PipelineStage: Hashable, Sendable {
    /// The tags.
    public var match: GlobPattern
    public var filters: [RecordFilter]

    public init(match: String, filters: [RecordFilter]) {
        self.match = GlobPattern(match)
        self.filters = filters
    }
}

/// What records become between their source and the store: each passes the filters of every stage that matches its tag,
/// in order.
public struct Pipeline: Sendable {
    public let stages: [PipelineStage]
    private var recent = RecentMessages()

    /// How often one record may get another tag: rules can form a circle.
    static let tagLimit = 8

    public init(_ stages: [PipelineStage] = []) {
        self.stages = stages
    }

    /// Passes what `record`, which was read at `now`, becomes to `emit`, with its tag: nothing, one record, or several.
    public mutating func process(
        _ record: inout RecordBuffer,
        tag: String,
        readAt now: Timestamp,
        emit: (inout RecordBuffer, String) -> Void
    ) {
        process(&record, tag: tag, readAt: now, stage: 0, filter: 0, tagged: 0, emit)
    }

    private mutating func process(
        _ record: inout RecordBuffer,
        tag: String,
        readAt now: Timestamp,
        stage: Int,
        filter: Int,
        tagged: Int,
        _ emit: (inout RecordBuffer, String) -> Void
    ) {
        var (stage, filter, tag, tagged) = (stage, filter, tag, tagged)
        while stage < stages.count {
            guard filter < stages[stage].filters.count, stages[stage].match.matches(tag.utf8) else {
                (stage, filter) = (stage + 1, 0)
                continue
            }
            let current = stages[stage].filters[filter]
            filter += 1
            switch current {
            case .parser(let parser):
                parser.apply(to: &record, readAt: now) { parsed in
                    process(&parsed, tag: tag, readAt: now, stage: stage, filter: filter, tagged: tagged, emit)
                }
                return
            case .dropCopies:
                if recent.isCopy(record) {
                    return
                }
            case .drop(let matches):
                if matches.contains(where: { $0.matches(record) }) {
                    return
                }
            case .rewriteTag(let rules):
                if tagged < Self.tagLimit, let rule = rules.first(where: { $0.match.matches(record) }), rule.tag != tag
                {
                    tag = rule.tag
                    tagged += 1
                    (stage, filter) = (0, 0)
                }
            case .addPrefix(let prefix): record.addPrefix(prefix)
            case .rename(let pairs): record.rename(pairs)
            case .remove(let paths): paths.forEach { $0.remove(from: &record) }
            case .keep(let paths): record.keep(paths)
            case .set(let values): values.forEach { record.set($0.name, $0.value) }
            case .severity(let severity): severity.apply(to: &record)
            }
        }
        emit(&record, tag)
    }
}
