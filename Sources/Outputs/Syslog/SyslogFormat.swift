// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOConcurrencyHelpers
import TextFormats

/// The formats of syslog messages.
public enum SyslogFormat: String, CaseIterable, Sendable {
    /// `<PRI>Mmm dd HH:MM:SS VM(NAME): TEXT`, as ChromeOS's log forwarder sends to the host's daemon. A program's text
    /// is after its name there, `TAG[PID]: `, and the kernel's is alone.
    case chromeos
    /// `<PRI>Mmm dd HH:MM:SS HOST TAG[PID]: TEXT` (RFC 3164, section 4.1), with the VM as the host.
    case rfc3164
    /// `<PRI>1 TIME HOST APP PROCID MSGID SD TEXT` (RFC 5424, section 6), with the record's id in the structured data.
    case rfc5424
}

/// Writes records as syslog messages, without a frame.
struct SyslogWriter: Sendable {
    let format: SyslogFormat
    /// 0 to 23; 1 is `user`.
    let facility: UInt8
    /// The most severe that a message can be.
    private let ceiling: Severity
    private let local: NIOLockedValueBox<LocalTimeWriter>

    /// The facility `user`.
    static let userFacility: UInt8 = 1
    /// What identifies the parameters of structured data; 32473 is the number for examples (RFC 5612).
    private static let structureName = "guestlog@32473"

    init(_ format: SyslogFormat, facility: UInt8, ceiling: Severity = .emergency, zone: LocalZone = .system) {
        self.format = format
        self.facility = facility
        self.ceiling = ceiling
        local = NIOLockedValueBox(LocalTimeWriter(zone: zone))
    }

    func append(_ record: OutputRecord, to out: inout [UInt8]) {
        switch format {
        case .chromeos: appendChromeOS(record, to: &out)
        case .rfc3164: appendRFC3164(record, to: &out)
        case .rfc5424: appendRFC5424(record, to: &out)
        }
    }

    private func appendPriority(_ severity: Severity, to out: inout [UInt8]) {
        out.append(contentsOf: "<\(facility * 8 + max(severity.rawValue, ceiling.rawValue))>".utf8)
    }

    /// Appends the local time, with a blank before a day of one digit.
    private func appendTime(_ record: OutputRecord, to out: inout [UInt8]) {
        let start = out.count
        local.withLockedValue { $0.appendShort(Timestamp(microseconds: record.time / 1000), to: &out) }
        let day = start + 4
        if out[day] == UInt8(ascii: "0") {
            out[day] = UInt8(ascii: " ")
        }
    }

    private func appendChromeOS(_ record: OutputRecord, to out: inout [UInt8]) {
        // A message without a severity is a notice there.
        appendPriority(record.event == nil ? record.severity ?? .notice : record.effectiveSeverity, to: &out)
        appendTime(record, to: &out)
        out.append(contentsOf: " VM(".utf8)
        Array(record.origin.vm.name.utf8).withUnsafeBytes { SyslogText.append($0, to: &out) }
        out.append(contentsOf: "): ".utf8)
        if let fields = record.fields, fields.message != nil, let program = fields.identifier,
            fields.values(of: Array("_TRANSPORT".utf8)).first?.elementsEqual("kernel".utf8) != true
        {
            program.withUnsafeBytes { SyslogText.append($0, to: &out) }
            out.append(contentsOf: ": ".utf8)
        }
        SyslogText.append(record.text, to: &out)
    }

    private func appendRFC3164(_ record: OutputRecord, to out: inout [UInt8]) {
        appendPriority(record.effectiveSeverity, to: &out)
        appendTime(record, to: &out)
        out.append(UInt8(ascii: " "))
        SyslogText.append(field: record.origin.vm.name.utf8, limit: 255, to: &out)
        out.append(UInt8(ascii: " "))
        let tag = Self.program(of: record)
        // A tag has at most 32 alphanumeric characters; the first other one ends it.
        SyslogText.append(field: tag.name.filter { $0 != UInt8(ascii: ":") && $0 != 0x5b }, limit: 32, to: &out)
        if let process = tag.process {
            out.append(UInt8(ascii: "["))
            SyslogText.append(field: process, limit: 16, to: &out)
            out.append(UInt8(ascii: "]"))
        }
        out.append(contentsOf: ": ".utf8)
        SyslogText.append(record.text, to: &out)
    }

    private func appendRFC5424(_ record: OutputRecord, to out: inout [UInt8]) {
        appendPriority(record.effectiveSeverity, to: &out)
        out.append(contentsOf: "1 ".utf8)
        var utc = LocalTimeWriter.utc
        // At most six digits of a second are allowed.
        utc.appendRFC3339(Timestamp(microseconds: record.time / 1000), to: &out)
        out.append(UInt8(ascii: " "))
        SyslogText.append(field: record.origin.vm.name.utf8, limit: 255, to: &out)
        out.append(UInt8(ascii: " "))
        let program = Self.program(of: record)
        SyslogText.append(field: program.name, limit: 48, to: &out)
        out.append(UInt8(ascii: " "))
        SyslogText.append(field: program.process ?? [], limit: 128, to: &out)
        out.append(UInt8(ascii: " "))
        SyslogText.append(field: (record.event?.name ?? "").utf8, limit: 32, to: &out)
        out.append(contentsOf: " [\(Self.structureName)".utf8)
        SyslogText.append(parameter: "id", record.id.utf8, to: &out)
        SyslogText.append(parameter: "stream", record.origin.stream.stream.text.utf8, to: &out)
        if let uuid = record.origin.vm.uuid {
            SyslogText.append(parameter: "uuid", uuid.utf8, to: &out)
        }
        if let namespace = record.origin.vm.namespace {
            SyslogText.append(parameter: "namespace", namespace.utf8, to: &out)
        }
        out.append(contentsOf: "] ".utf8)
        SyslogText.append(record.text, to: &out)
    }

    /// The program that wrote the record, by its fields, and its process; else the stream.
    private static func program(of record: OutputRecord) -> (name: [UInt8], process: [UInt8]?) {
        guard let fields = record.fields else {
            return (Array(record.origin.stream.stream.text.utf8), nil)
        }
        func first(_ names: [String]) -> [UInt8]? {
            names.lazy.compactMap { fields.values(of: Array($0.utf8)).first }.first { !$0.isEmpty }
        }
        let name = first(["SYSLOG_IDENTIFIER", "_COMM"]) ?? Array(record.origin.stream.stream.text.utf8)
        return (name, first(["_PID", "SYSLOG_PID"]))
    }
}
