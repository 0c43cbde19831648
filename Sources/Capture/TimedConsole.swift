// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
import SystemIO

/// Stores a console's text that another program has received, with the times at which it did, and the markers of the
/// boots in it. Used by one thread at a time, which holds the VM's lock.
public struct TimedConsole {
    private let writer: StreamWriter
    private var detector = BootDetector()

    /// A console whose text `writer` appends.
    public init(_ writer: StreamWriter) {
        self.writer = writer
    }

    /// Appends `text`, received at `time`.
    public mutating func append(_ text: [UInt8], time: Timestamp) throws(SystemError) {
        try text.span.bytes.withUnsafeBytes { (text: UnsafeRawBufferPointer) throws(SystemError) in
            var start = 0
            for finding in detector.scan(text, time: time.microseconds) {
                let offset = max(start, finding.offset)
                try store(UnsafeRawBufferPointer(rebasing: text[start..<offset]), time)
                try mark(finding, before: offset)
                start = offset
            }
            try store(UnsafeRawBufferPointer(rebasing: text[start...]), time)
        }
    }

    /// Marks that the machine was switched on, or off, at `time`, after all text so far.
    public mutating func note(_ event: BootEvent, time: Timestamp) throws(SystemError) {
        for finding in detector.note(event) {
            try mark(finding, before: 0)
        }
        try writer.mark(RecordDetail(boot: BootDetail(event: event, position: writer.nextOffset)), time: time)
    }

    /// Marks that what follows is from `origin`; the first text of it has that time.
    public func continued(by origin: String, time: Timestamp) throws(SystemError) {
        try writer.mark(RecordDetail(origin: origin), time: time)
    }

    private func store(_ text: UnsafeRawBufferPointer, _ time: Timestamp) throws(SystemError) {
        do throws(AppendFailure) {
            try writer.append(text, time: time)
        } catch {
            throw error.cause
        }
    }

    private func mark(_ finding: BootDetector.Finding, before offset: Int) throws(SystemError) {
        let back = UInt64(max(0, offset - finding.subject))
        let detail = BootDetail(event: finding.event, position: writer.nextOffset - min(writer.nextOffset, back))
        try writer.mark(RecordDetail(boot: detail), time: Timestamp(microseconds: finding.time))
    }
}
