// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// One boot of a VM: from the start of the machine to the start of the next boot.
public struct Boot: Hashable, Sendable {
    /// Its number among the stored boots, 1 for the oldest.
    public var number: Int
    /// The stream in which it was detected, the console.
    public var stream: StreamName
    public var position: UInt64
    public var start: Timestamp
    /// When it ended, or the next one began; nil while it lasts. The time of the last record when no process captures the
    /// VM any more and no end was recorded.
    public var end: Timestamp?
    /// How its beginning was detected; nil when retention has removed the beginning: `start` is then the time of the
    /// first record that is left.
    public var startEvent: BootEvent?
    /// How its end was detected; nil when it was not.
    public var endEvent: BootEvent?
    /// Stored bytes of text of the boot in that stream.
    public var bytes: UInt64

    /// Its beginning, before its own marker.
    var place: Cursor
    /// The position of its marker; boots without text begin at the same position.
    var marker: Cursor
    /// The position of the marker that recorded its end first.
    var endPlace: Cursor?
    /// The line that announced its end; the marker follows the boot's last words.
    var endAnnouncement: UInt64?
    /// Whether the console was closed after it.
    var isClosed = false
}

extension Boot {
    public var json: JSON {
        .object([
            ("number", .integer(Int64(number))),
            ("stream", .string(stream.text)),
            ("start", .string(start.description)),
            ("end", end.map { .string($0.description) } ?? .null),
            ("start_event", startEvent.map { .string($0.name) } ?? .null),
            ("end_event", endEvent.map { .string($0.name) } ?? .null),
            ("position", .integer(Int64(clamping: position))),
            ("bytes", .integer(Int64(clamping: bytes))),
        ])
    }
}

/// The boots of which something is stored.
public struct BootList {
    /// The boots of `vm`, oldest first. A boot of which only the head is left, or of which the beginning was removed,
    /// counts.
    public static func boots(of vm: Store.VM, in store: Store) throws -> [Boot] {
        guard let stream = try consoleStream(of: vm, in: store) else {
            return []
        }
        var boots = try boots(of: stream, in: store)
        if let last = boots.indices.last, boots[last].end == nil, !store.isWritten(vm) {
            boots[last].end = try store.reader(of: stream).summaries().last?.timeRange.upperBound
        }
        return boots
    }

    /// The stream in which a VM's boots are recorded: its first console.
    static func consoleStream(of vm: Store.VM, in store: Store) throws -> StreamID? {
        let streams = try store.streams(of: vm.directory)
        return streams.first { $0.stream == .console0 } ?? streams.first { $0.stream.text.hasPrefix("console") }
    }

    static func boots(of stream: StreamID, in store: Store) throws -> [Boot] {
        let reader = store.reader(of: stream)
        let blocks = try reader.summaries()
        var list = BootList(stream: stream.stream)
        if let first = blocks.first, first.offset > 0 {
            list.beginUnseen(at: first.offset, first.timeRange.lowerBound)
        }
        for block in blocks where !block.flags.isDisjoint(with: .markers) {
            for record in try reader.records(of: block) where record.isMarker {
                list.take(record)
            }
        }
        return list.finish(blocks)
    }

    private let stream: StreamName
    private var boots: [Boot] = []
    /// The position of the latest marker.
    private var place = Cursor.start
    /// The latest doubtful beginning: a boot if a kernel's marker for the same position follows.
    private var doubtful: (position: UInt64, place: Cursor, time: Timestamp)?

    private init(stream: StreamName) {
        self.stream = stream
    }

    /// The first text that is left belongs to a boot whose beginning was removed, unless a boot begins there.
    private mutating func beginUnseen(at position: UInt64, _ time: Timestamp) {
        boots = [boot(nil, position, time, place: Cursor(offset: position), marker: Cursor(offset: position))]
    }

    private mutating func take(_ record: IndexRecord) {
        if record.offset != place.offset {
            place = Cursor(offset: record.offset)
        }
        if let detail = RecordDetail(decoding: record.detail).boot {
            take(detail, record.time)
        }
        place.markers += 1
    }

    private mutating func take(_ detail: BootDetail, _ time: Timestamp) {
        guard detail.event != .doubtful else {
            doubtful = (detail.position, place, time)
            return
        }
        guard !detail.event.isBeginning else {
            begin(detail, time)
            return
        }
        if detail.event == .closed, let last = boots.indices.last {
            boots[last].isClosed = true
        }
        // The first recorded end counts: a panic is followed by the closing of the console.
        if let last = boots.indices.last, boots[last].endEvent == nil {
            boots[last].end = time
            boots[last].endEvent = detail.event
            boots[last].endPlace = place
            boots[last].endAnnouncement = min(detail.position, place.offset)
        }
    }

    private mutating func begin(_ detail: BootDetail, _ time: Timestamp) {
        if boots.count == 1, let first = boots.first, first.startEvent == nil, first.endEvent == nil,
            first.position >= detail.position
        {
            boots = []
        }
        if let doubtful, detail.event == .kernel, doubtful.position == detail.position {
            boots.append(
                boot(.kernel, detail.position, doubtful.time, place: doubtful.place, marker: doubtful.place)
            )
            return
        }
        let start = detail.position == place.offset ? place : Cursor(offset: detail.position)
        boots.append(boot(detail.event, detail.position, time, place: start, marker: place))
    }

    private func boot(
        _ event: BootEvent?,
        _ position: UInt64,
        _ time: Timestamp,
        place: Cursor,
        marker: Cursor
    ) -> Boot {
        Boot(
            number: boots.count + 1,
            stream: stream,
            position: position,
            start: time,
            startEvent: event,
            bytes: 0,
            place: place,
            marker: marker
        )
    }

    /// The boots, with what their successors and the stored `blocks` show.
    private func finish(_ blocks: [BlockSummary]) -> [Boot] {
        var boots = boots
        for place in boots.indices {
            let next = place + 1 < boots.count ? boots[place + 1] : nil
            boots[place].end = boots[place].end ?? next?.start
            let range = boots[place].position..<max(boots[place].position, next?.position ?? .max)
            boots[place].bytes = blocks.reduce(0) { sum, block in
                let (from, to) = (max(block.offset, range.lowerBound), min(block.end, range.upperBound))
                return from < to ? sum + to - from : sum
            }
        }
        return boots
    }
}

/// The part of a VM's streams that belongs to one boot: by position in the console, by time in other streams.
struct BootWindow {
    let console: StreamID
    let place: Cursor
    let bound: Cursor?
    let since: Timestamp
    let until: Timestamp?
    /// Where the end of the boot was announced, and when that was recorded: the machine is about to start again. nil
    /// while the boot lasts, and once the console is closed.
    let end: (position: UInt64, time: Timestamp)?

    /// The window of the boot `number` (`Selection.boot`); nil when that is everything.
    init?(_ number: Int, of vm: Store.VM, in store: Store) throws {
        let boots = try BootList.boots(of: vm, in: store)
        guard let console = try BootList.consoleStream(of: vm, in: store), let index = Self.index(number, boots) else {
            // Joined while it ran: everything stored is the latest boot.
            if number == 0, boots.isEmpty {
                return nil
            }
            throw Self.noSuchBoot(number, boots.count, vm)
        }
        self.console = console
        place = boots[index].place
        since = boots[index].start
        let next = index + 1 < boots.count ? boots[index + 1] : nil
        bound = next?.place
        until = next?.start.advanced(byMicroseconds: -1)
        let announcement = boots[index].isClosed ? nil : boots[index].endAnnouncement
        end = boots[index].end.flatMap { time in announcement.map { (position: $0, time: time) } }
    }

    private static func index(_ number: Int, _ boots: [Boot]) -> Int? {
        guard !boots.isEmpty, (1 - boots.count...boots.count).contains(number) else {
            return nil
        }
        return number > 0 ? number - 1 : boots.count - 1 + number
    }

    private static func noSuchBoot(_ number: Int, _ kept: Int, _ vm: Store.VM) -> QueryError {
        let name = VMLookup.quoted(vm.identity.name)
        switch kept {
        case 0: return QueryError(.noSuchBoot, "\(name) has no recorded boot; omit --boot to read its log")
        case 1: return QueryError(.noSuchBoot, "\(name) has no boot \(number): only boot 0 is stored")
        default:
            return QueryError(
                .noSuchBoot,
                "\(name) has no boot \(number): \(kept) are stored, \(1 - kept) to 0 or 1 to \(kept); see 'guestlog boots'"
            )
        }
    }
}
