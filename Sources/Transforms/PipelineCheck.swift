// SPDX-License-Identifier: Apache-2.0

/// Why a part of a pipeline can never have an effect.
public struct PipelineFault: Hashable, Sendable, CustomStringConvertible {
    /// The stage's number, from 0.
    public var stage: Int
    /// What is wrong and what to do.
    public var description: String
}

extension Pipeline {
    /// The parts that can never have an effect for records whose sources give them `tags`.
    public func faults(tags: [String]) -> [PipelineFault] {
        var faults: [PipelineFault] = []
        let known = Set(tags + newTags)
        for (number, stage) in stages.enumerated() {
            let matching = known.filter { stage.match.matches($0.utf8) }
            if matching.isEmpty {
                let there = known.sorted().joined(separator: ", ")
                let tags = there.isEmpty ? "no source has a tag" : "the tags are \(there)"
                faults.append(
                    PipelineFault(stage: number, description: "match: \(stage.match) matches no tag; \(tags)")
                )
            }
            for filter in stage.filters {
                switch filter {
                case .rewriteTag(let rules):
                    faults += Self.faults(of: rules, matching).map { PipelineFault(stage: number, description: $0) }
                case .drop(let matches) where matches.contains(where: { $0.fields.isEmpty }):
                    faults.append(
                        PipelineFault(stage: number, description: "drop: a condition without fields drops every record")
                    )
                default: break
                }
            }
        }
        return faults
    }

    private var newTags: [String] {
        stages.flatMap(\.filters).flatMap { filter -> [String] in
            guard case .rewriteTag(let rules) = filter else {
                return []
            }
            return rules.map(\.tag)
        }
    }

    private static func faults(of rules: [TagRule], _ tags: Set<String>) -> [String] {
        var faults: [String] = []
        for (number, rule) in rules.enumerated() {
            if let earlier = rules[..<number].firstIndex(where: { $0.match.covers(rule.match) }) {
                faults.append(
                    "rewrite_tag: rule \(number + 1) (\(rule.tag)) never applies: rule \(earlier + 1) "
                        + "(\(rules[earlier].tag)) matches all of its records before it; put it first"
                )
            }
            if tags == [rule.tag] {
                faults.append("rewrite_tag: rule \(number + 1) gives the tag that its records have: \(rule.tag)")
            }
        }
        return faults
    }
}
