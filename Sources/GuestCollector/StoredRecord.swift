// SPDX-License-Identifier: Apache-2.0

import Capture
import GuestChannel
import LogModel
import TextFormats

/// A record as it is stored: a line of canonical JSON without its end, and what its batch has to know.
struct StoredRecord: Sendable {
    var line: [UInt8]
    /// The record's own time.
    var time: Timestamp?
    /// Its number in a sequence, by which a repetition is recognized; nil: it has none.
    var number: Number?
    /// The number of records that the guest lost before this one, which says so.
    var lost: UInt64 = 0

    struct Number: Hashable, Sendable {
        var sequence: SessionID
        var value: UInt64
        /// When the record was made, in microseconds since the Unix epoch, if a number may be given again: to a record
        /// that was made later.
        var time: UInt64?
        /// Distinguishes the record from another of that number (`GuestRecord.check`); nil: it is not asked for.
        var check: UInt32?
    }

    /// The maximum size of a line: values are cut beyond it.
    private static let lineLimit = RecordBatch.recordLimit - 1
    /// Bytes to which the values of a record that is too long are cut: escaped, a byte has up to six.
    private static let cutValue = 64 << 10
    /// Names that only Guestlog itself gives to fields.
    private static let reserved = Array("GUESTLOG_".utf8)
    private static let bootName = Array("_BOOT_ID".utf8)

    /// A record with `fields`, but those that are Guestlog's own, and its own time in nanoseconds since the Unix epoch.
    init(_ fields: StructuredRecord, time nanoseconds: Int64?, number: Number? = nil) {
        var fields = fields
        fields.fields.removeAll {
            $0.name.starts(with: Self.reserved) && !$0.name.elementsEqual(JournalEntry.truncatedName.utf8)
        }
        self.number = number
        time = nanoseconds.map { Timestamp(microseconds: Self.floored($0)) }
        line = fields.encoded(nanoseconds: nanoseconds)
        if line.count > Self.lineLimit {
            line = Self.cut(fields).encoded(nanoseconds: nanoseconds)
        }
    }

    private static func floored(_ nanoseconds: Int64) -> Int64 {
        let (quotient, remainder) = nanoseconds.quotientAndRemainder(dividingBy: 1000)
        return remainder < 0 ? quotient - 1 : quotient
    }

    /// The record with long values cut, as many of them as fit.
    private static func cut(_ record: StructuredRecord) -> StructuredRecord {
        var cut = StructuredRecord()
        var size = 0
        for field in record.fields where !field.name.elementsEqual(JournalEntry.truncatedName.utf8) {
            let values = field.values.prefix(16).map { Array($0.prefix(cutValue)) }
            size += values.reduce(field.name.count) { $0 + $1.count }
            guard size * 6 < lineLimit else {
                break
            }
            cut.fields.append(StructuredRecord.Field(field.name, values))
        }
        cut.fields.append(StructuredRecord.Field(JournalEntry.truncatedName, "1"))
        return cut
    }

    /// The entry of a guest's journal. Its fields keep their names.
    init(_ entry: JournalEntry) {
        let cursor = entry.value(of: "__CURSOR").flatMap { JournalCursor($0) }
        self.init(entry.record, time: entry.time, number: cursor.flatMap { Number($0) })
    }

    /// The record of an agent's `session`; nil: of a client without one. `boot` is the guest's boot id, 16 bytes; empty:
    /// it is unknown.
    init(_ record: GuestRecord, session: SessionID?, boot: [UInt8] = []) {
        let number = session.map { Number(sequence: $0, value: record.sequence, check: record.check) }
        var fields = Self.fields(of: record)
        if !boot.isEmpty, !fields.fields.contains(where: { $0.name.elementsEqual(Self.bootName) }) {
            fields.fields.append(StructuredRecord.Field(Self.bootName, [Array(boot.hexadecimal.utf8)]))
        }
        self.init(fields, time: record.time, number: number)
        lost = record.lost
    }

    /// The fields of an agent's record, under the names that the journal has for them (systemd.journal-fields(7)).
    private static func fields(of record: GuestRecord) -> StructuredRecord {
        var fields = StructuredRecord()
        func add(_ name: String, _ value: [UInt8]?) {
            // What a journal's entry says itself is left as it is.
            if let value, !value.isEmpty,
                record.source != .journal || !record.fields.contains(where: { $0.name.elementsEqual(name.utf8) })
            {
                fields.fields.append(StructuredRecord.Field(Array(name.utf8), [value]))
            }
        }
        func add(_ name: String, number: UInt64?) {
            add(name, number.map { Array(String($0).utf8) })
        }
        fields.fields.append(StructuredRecord.Field(Array("MESSAGE".utf8), [record.content]))
        add("PRIORITY", number: record.severity.map { UInt64($0.rawValue) })
        add("SYSLOG_FACILITY", number: record.facility.map { UInt64($0) })
        add("SYSLOG_IDENTIFIER", record.source == .kernel ? Array("kernel".utf8) : record.tag)
        add("SYSLOG_PID", record.process)
        add("SYSLOG_MSGID", record.messageID)
        add("_HOSTNAME", record.hostname)
        add("_TRANSPORT", transport(of: record.source).map { Array($0.utf8) })
        add("_KERNEL_SEQUENCE", number: record.kernelSequence)
        add("_SOURCE_MONOTONIC_TIMESTAMP", number: record.monotonic == 0 ? nil : record.monotonic)
        let known = record.source == .journal ? [] : fields.fields.map(\.name)
        let further = record.fields.lazy.filter { field in
            // What the record says itself is not what a parameter of that name says.
            !field.name.isEmpty && !field.name.starts(with: reserved) && !known.contains(field.name)
        }
        if !record.fields.isEmpty {
            fields = StructuredRecord(
                joining: fields.fields + further.map { StructuredRecord.Field($0.name, [$0.value]) }
            )
        }
        if record.isTruncated {
            add(JournalEntry.truncatedName, Array("1".utf8))
        }
        return fields
    }

    private static func transport(of source: GuestRecord.Source) -> String? {
        switch source {
        case .syslog: "syslog"
        case .kernel: "kernel"
        case .journal: "journal"
        case .agent: "agent"
        case .unknown: nil
        }
    }
}

extension StoredRecord.Number {
    /// The number of a journal's entry. Each boot has a sequence of its own, since the numbers of entries that a guest's
    /// disk has lost are given again in its next boot.
    init?(_ cursor: JournalCursor) {
        var id = cursor.sequenceID
        if let boot = cursor.bootID {
            // Both ids are random, and so is this one.
            id = zip(id, boot).map { $0 ^ $1 }
        }
        guard let sequence = SessionID(id) else {
            return nil
        }
        self.init(sequence: sequence, value: cursor.number, time: cursor.time)
    }
}
