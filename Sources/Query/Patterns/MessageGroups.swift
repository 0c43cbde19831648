// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Groups messages by their shape, with a parse tree of fixed depth (He et al., "Drain: An Online Log Parsing Approach
/// with Fixed Depth Tree", ICWS 2017): messages of one number of tokens and one first word are compared with the groups
/// found so far, and join the most similar one.
///
/// Unlike the original, values are masked before; the first word must be equal; and two messages without any
/// difference but in one place join only where a value is expected, so that `VM Started` and `VM Paused` stay two.
/// Memory is limited: of a shape that no longer fits, messages are counted together.
public struct MessageGroups: Sendable {
    /// Messages of one shape.
    public struct Group: Sendable {
        /// The words, `<*>` where messages differ.
        var tokens: [[UInt8]]
        public fileprivate(set) var count = 0
        /// The VMs that have written it, up to a limit.
        fileprivate var vms: Set<Int> = []
        public fileprivate(set) var first: Timestamp
        public fileprivate(set) var last: Timestamp
        /// The worst severity of its messages.
        public fileprivate(set) var severity: Severity?

        /// The shape as text.
        public var text: [UInt8] { Array(tokens.joined(separator: [0x20])) }
        public var vmCount: Int { vms.count }
    }

    private struct Key: Hashable {
        var count: Int
        var first: [UInt8]
    }

    private var groups: [Group] = []
    private var index: [Key: [Int]] = [:]
    /// Messages whose shapes did not fit.
    public private(set) var others: Group?
    private let limit: Int

    /// The share of tokens in which a message and its group must agree.
    private static let similarity = 0.6
    /// Maximum number of groups with one key that are compared.
    private static let candidateLimit = 64

    /// Groups, at most `limit` of them.
    public init(limit: Int = 5000) {
        self.limit = limit
    }

    /// The number of messages.
    public var count: Int { groups.reduce(others?.count ?? 0) { $0 + $1.count } }

    /// Adds a message that a VM, by its number, wrote at `time`. Returns the number of its group; nil when its shape did
    /// not fit.
    @discardableResult
    public mutating func add(
        _ message: UnsafeRawBufferPointer,
        vm: Int,
        time: Timestamp,
        severity: Severity?
    ) -> Int? {
        guard let groupIndex = groupIndex(of: MessageShape(message).tokens, time: time) else {
            var group = others ?? Group(tokens: [Array("(other)".utf8)], first: time, last: time)
            Self.note(&group, vm, time, severity)
            others = group
            return nil
        }
        Self.note(&groups[groupIndex], vm, time, severity)
        return groupIndex
    }

    private static func note(_ group: inout Group, _ vm: Int, _ time: Timestamp, _ severity: Severity?) {
        group.count += 1
        if group.vms.count < 100_000 {
            group.vms.insert(vm)
        }
        group.first = min(group.first, time)
        group.last = max(group.last, time)
        if let severity {
            group.severity = min(group.severity ?? severity, severity)
        }
    }

    /// The group for a message of these tokens, which is made if there is space; nil when there is none.
    private mutating func groupIndex(of tokens: [[UInt8]], time: Timestamp) -> Int? {
        let key = Key(count: tokens.count, first: tokens.first ?? [])
        var best: (groupIndex: Int, score: Int)?
        for groupIndex in index[key] ?? [] {
            if let score = Self.score(groups[groupIndex].tokens, tokens), score > best?.score ?? -1 {
                best = (groupIndex, score)
            }
        }
        if let best {
            for (position, token) in tokens.enumerated() where groups[best.groupIndex].tokens[position] != token {
                groups[best.groupIndex].tokens[position] = MessageShape.mask
            }
            return best.groupIndex
        }
        guard groups.count < limit, index[key]?.count ?? 0 < Self.candidateLimit else {
            return nil
        }
        groups.append(Group(tokens: tokens, first: time, last: time))
        index[key, default: []].append(groups.count - 1)
        return groups.count - 1
    }

    /// In how many tokens both agree; nil when that is not enough for one group.
    private static func score(_ group: [[UInt8]], _ tokens: [[UInt8]]) -> Int? {
        var equal = 0
        var differing = 0
        for (left, right) in zip(group, tokens) {
            if left == right {
                equal += 1
            } else if left != MessageShape.mask {
                differing += 1
            }
        }
        guard differing > 0 else {
            return equal
        }
        // Short messages are told apart by every word.
        let isSimilar = Double(equal) >= similarity * Double(tokens.count) && tokens.count - equal >= differing
        return tokens.count >= 5 && isSimilar ? equal : nil
    }

    /// The groups, most frequent first, and then the messages whose shapes did not fit.
    public var sorted: [Group] {
        groups.sorted { ($1.count, $0.first) < ($0.count, $1.first) } + (others.map { [$0] } ?? [])
    }
}
