// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// Selects and writes records that come from a log engine, as `LogQuery` does for those of a store: the same filters, the
/// same formats, the same limits.
public struct FleetRendering {
    private let filter: LineFilter
    private let markers: Bool
    private var writer: RenderedOutput
    private let prefix: Bool?
    private var inputs: [FleetStream: Int] = [:]
    private var labels: [StreamID: StreamLabel] = [:]
    /// The position after the last event of each stream: a line there begins after it.
    private var afterEvents: [StreamID: Cursor] = [:]
    private var linesLeft: Int
    private var bytesLeft: Int

    public private(set) var matchedAny = false
    /// Whether nothing more is wanted.
    public private(set) var isComplete = false

    /// A rendering of records of `streams`, in the order that decides between equal times.
    public init(_ selection: Selection, _ rendering: Rendering, streams: [FleetStream]) {
        filter = LineFilter(
            since: selection.since,
            until: selection.until,
            severities: selection.severities,
            fields: selection.fields,
            pattern: selection.pattern.map(PatternMatcher.init)
        )
        writer = RenderedOutput(rendering, prefix: rendering.prefix ?? false)
        prefix = rendering.prefix
        markers = !selection.filtersByText && writer.showsBoots
        linesLeft = selection.head ?? .max
        bytesLeft = selection.limitBytes ?? .max
        isComplete = linesLeft == 0 || bytesLeft == 0
        add(streams)
    }

    /// Adds streams that are new.
    public mutating func add(_ streams: [FleetStream]) {
        for stream in streams where inputs[stream] == nil {
            inputs[stream] = inputs.count
        }
        if prefix == nil, inputs.count > 1 {
            writer.showPrefix()
        }
    }

    /// Whether a line is selected by its time and its contents. An event never is: it is shown between lines.
    public func admits(_ record: FleetRecord) -> Bool {
        guard record.event == nil, filter.admits(record.time) else {
            return false
        }
        guard filter.filtersByText else {
            return true
        }
        return Self.withLine(of: record) { filter.admits($0) }
    }

    /// Whether an event is shown between lines.
    public func shows(_ record: FleetRecord) -> Bool {
        record.event.map { shows(event($0, record)) } ?? false
    }

    private func shows(_ event: StreamEvent) -> Bool {
        // Between the matches of a search only losses are useful.
        filter.admits(event.time) && (event.isLoss || markers)
    }

    /// Appends a record, if it is selected.
    public mutating func append(_ record: FleetRecord, to out: inout [UInt8]) {
        guard !isComplete, let input = inputs[record.stream] else {
            return
        }
        let start = out.count
        let label = label(of: record)
        if let kind = record.event {
            let event = event(kind, record)
            afterEvents[record.id.stream] = event.next
            append(event, label, to: &out)
        } else if admits(record) {
            matchedAny = true
            linesLeft -= linesLeft == .max ? 0 : 1
            let position = afterEvents[record.id.stream].flatMap { $0.offset == record.id.position.offset ? $0 : nil }
            Self.withLine(of: record) { line in
                var line = line
                line.start = position ?? line.start
                writer.append(line, input: input, label, to: &out)
            }
        }
        cut(&out, from: start)
        isComplete = isComplete || linesLeft == 0
    }

    /// Ends a piece of output; with `isLast` also a line that is not finished.
    public mutating func endPiece(isLast: Bool, of out: inout [UInt8]) {
        let start = out.count
        writer.endPiece(of: &out)
        if isLast, !isComplete || linesLeft == 0 {
            writer.finish(to: &out)
        }
        cut(&out, from: start)
    }

    /// Cuts what was appended since `start` to what may still be written.
    private mutating func cut(_ out: inout [UInt8], from start: Int) {
        guard bytesLeft != .max else {
            return
        }
        let count = min(max(0, out.count - start), bytesLeft)
        out.removeSubrange(min(out.count, start + count)...)
        bytesLeft -= count
        isComplete = isComplete || bytesLeft == 0
    }

    private func event(_ kind: StreamEvent.Kind, _ record: FleetRecord) -> StreamEvent {
        let position = record.id.position
        let next = Cursor(offset: position.offset, markers: position.markers + 1)
        return StreamEvent(kind: kind, position: position, next: next, time: record.time)
    }

    private mutating func append(_ event: StreamEvent, _ label: StreamLabel, to out: inout [UInt8]) {
        if shows(event) {
            writer.append(event, boot: nil, label, to: &out)
        }
    }

    private static func withLine<Result>(of record: FleetRecord, _ body: (Line) -> Result) -> Result {
        let (bytes, encoding) = record.line
        return bytes.withUnsafeBytes { bytes in
            var line = Line(start: record.id.position, time: record.time, bytes: bytes, isRecovered: false)
            line.encoding = encoding
            line.isPlain = encoding == .raw
            return body(line)
        }
    }

    /// VMs with the same name are told apart by their namespaces or folders.
    private mutating func label(of record: FleetRecord) -> StreamLabel {
        if let known = labels[record.id.stream] {
            return known
        }
        let vm = record.stream.vm
        let isUnique = !inputs.keys.contains { $0.vm != vm && Bytewise($0.vm.name) == Bytewise(vm.name) }
        let label = StreamLabel(
            vm: isUnique ? vm.name : vm.nameWithNamespace,
            folder: record.id.stream.vm,
            uuid: vm.uuid,
            stream: record.stream.stream
        )
        labels[record.id.stream] = label
        return label
    }
}
