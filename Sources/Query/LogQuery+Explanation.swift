// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

extension LogQuery {
    /// Why the result is empty or incomplete, for people; nil when no explanation is needed.
    public func explanation() -> String? {
        guard !matchedAny, !isCut else {
            return abandoned ?? leftOut
        }
        let who = vms.count == 1 ? "the log of \(VMLookup.quoted(vms[0].identity.name))" : "the log"
        guard !vms.isEmpty else {
            return "there are no VMs"
        }
        guard let span else {
            guard store.forbidden?.errors.isEmpty ?? true else {
                return "nothing of \(who) can be read by this user"
            }
            return hasLostAll
                ? "nothing of \(who) can be read: its files are missing or damaged; 'guestlog verify' lists them"
                : "\(who) is empty: the guest has printed nothing yet"
        }
        if selection.tail == 0 || selection.head == 0 {
            return "nothing was requested"
        }
        if let since = selection.since, let until = selection.until, until < since {
            return "nothing: the requested time ends (\(text(until))) before it begins (\(text(since)))"
        }
        let shown = "this log spans \(text(span.lowerBound)) – \(text(span.upperBound))"
        if let since = selection.since, since > span.upperBound {
            return "nothing since \(text(since)); \(shown)"
        }
        if let until = selection.until, until < span.lowerBound {
            return "nothing until \(text(until)); \(shown)"
        }
        if let pattern = selection.pattern {
            let serious = selection.severities.map { " that is " + text($0) } ?? ""
            let outcome = "no line\(within)\(serious) matches '\(VMLookup.quoted(pattern.expression))'"
            return abandoned.map { outcome + ", but " + $0 } ?? outcome
        }
        if !selection.fields.isEmpty {
            let wanted = selection.fields.words.map(VMLookup.quoted).joined(separator: " ")
            let hasRecords = streams.contains { store.properties(of: $0).encoding == .json }
            return hasRecords
                ? "no record\(within) has \(wanted)"
                : "no record\(within) has \(wanted): \(who) has console output only, which --grep searches"
        }
        if let severities = selection.severities {
            return "no line\(within) is \(text(severities))"
        }
        if selection.since != nil || selection.until != nil {
            return "nothing\(within); \(shown)"
        }
        if selection.cursor != nil {
            return "nothing new since the cursor"
        }
        if let boot = selection.boot {
            return "boot \(boot) has no output"
        }
        return "\(who) has no lines"
    }

    /// What is unknown because matching was given up.
    private var abandoned: String? {
        guard let count = selection.pattern?.abandonedMatches, count > 0 else {
            return nil
        }
        return
            "matching was given up on \(count == 1 ? "1 line" : "\(count) lines"): the pattern is too complex; simplify it"
    }

    /// Which VMs do not have the requested boot.
    private var leftOut: String? {
        let missing = entries.withoutBoot
        guard let first = missing.first else {
            return nil
        }
        return missing.count == 1
            ? "\(first)" : "\(first); \(missing.count - 1) more of the VMs do not have that boot either"
    }

    /// The requested range of time, for use in a sentence.
    private var within: String {
        let boot = selection.boot.map { " in boot \($0)" } ?? ""
        switch (selection.since, selection.until) {
        case (let since?, let until?):
            return "\(boot) from \(text(since)) until \(text(until))"
        case (let since?, nil): return "\(boot) since \(text(since))"
        case (nil, let until?): return "\(boot) until \(text(until))"
        case (nil, nil): return boot
        }
    }

    /// Whether output is known to have been stored and nothing of it can be read.
    private var hasLostAll: Bool {
        vms.contains { vm in !((try? store.lostStreams(of: vm.directory)) ?? []).isEmpty }
            || streams.contains { stream in
                let reader = store.reader(of: stream)
                _ = try? reader.batch(at: .start)
                return reader.lostEnd(after: .start) != nil
            }
    }

    /// From the first entry to the last, over all streams; nil when there is none.
    private var span: ClosedRange<Timestamp>? {
        var span: ClosedRange<Timestamp>?
        for stream in streams {
            let reader = store.reader(of: stream)
            for block in (try? reader.summaries()) ?? [] {
                let range = block.timeRange
                span =
                    min(
                        span?.lowerBound ?? range.lowerBound,
                        range.lowerBound
                    )...max(
                        span?.upperBound ?? range.upperBound,
                        range.upperBound
                    )
            }
        }
        return span
    }

    private func text(_ severities: ClosedRange<Severity>) -> String {
        severities.lowerBound == .emergency
            ? "\(severities.upperBound.name) or worse"
            : "from \(severities.upperBound.name) to \(severities.lowerBound.name)"
    }

    /// The time of day, with the date unless it is today's.
    private func text(_ time: Timestamp) -> String {
        let (moment, today) = (zone.civil(at: time), zone.civil(at: now))
        func two(_ value: Int) -> String { (value < 10 ? "0" : "") + String(value) }
        let clock = "\(two(moment.hour)):\(two(moment.minute)):\(two(moment.second))"
        guard (moment.year, moment.month, moment.day) != (today.year, today.month, today.day) else {
            return clock
        }
        return "\(moment.year)-\(two(moment.month))-\(two(moment.day)) \(clock)"
    }
}
