// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query

/// What records have besides text, severity and fields, as names and values: so that `guestlog logs --from` shows of them
/// what it shows of the store's.
enum RecordDetails {
    private static let reason = "guestlog.gap.reason"
    private static let bytes = "guestlog.gap.bytes"
    private static let lines = "guestlog.gap.lines"
    private static let since = "guestlog.gap.since"
    private static let isOpen = "guestlog.gap.open"
    private static let boot = "guestlog.boot"
    private static let stored = "guestlog.time"
    private static let continues = "guestlog.continues"

    /// Every name has this beginning.
    static let prefix = "guestlog."

    /// The details of a record; none for most lines.
    static func details(of record: OutputRecord) -> [(name: String, value: String)] {
        var details: [(name: String, value: String)] = []
        if record.time / 1000 != record.stored.microseconds {
            details.append((stored, record.stored.description))
        }
        if record.continuesPiece {
            details.append((continues, "true"))
        }
        switch record.event {
        case .gap(let gap):
            details.append((reason, gap.reason.description))
            details += gap.bytes.map { [(bytes, String($0))] } ?? []
            details.append((lines, String(gap.lines)))
            details.append((since, gap.since.description))
            details += gap.isClosed ? [] : [(isOpen, "true")]
        case .missing(let count, let cause):
            details.append((reason, cause.description))
            details.append((bytes, String(count)))
        case .boot(let event):
            details.append((boot, event.name))
        case nil:
            break
        }
        return details
    }

    /// Adds to `record` what `details` says, which are found by their names.
    static func add(_ details: (String) -> String?, to record: inout FleetRecord) {
        if let time = details(stored).flatMap({ Timestamp(rfc3339: $0.utf8) }) {
            record.time = time
        }
        record.continuesPiece = details(continues) != nil
        guard record.id.isEvent else {
            return
        }
        if let name = details(boot), let event = BootEvent.allCases.first(where: { $0.name == name }) {
            record.event = .boot(BootDetail(event: event, position: record.id.position.offset))
            return
        }
        let text = details(reason) ?? ""
        let cause = GapReason.allCases.first { $0.description == text } ?? .corruption
        let count = details(bytes).flatMap { UInt64($0) }
        guard let start = details(since).flatMap({ Timestamp(rfc3339: $0.utf8) }) else {
            record.event = .missing(bytes: count ?? 0, reason: cause)
            return
        }
        let gap = GapDetail(
            reason: cause,
            bytes: count,
            lines: details(lines).flatMap { UInt64($0) } ?? 0,
            since: start,
            isClosed: details(isOpen) == nil
        )
        record.event = .gap(gap)
    }
}
