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
    /// When it ended, or the next one began; nil while it lasts.
    public var end: Timestamp?
    /// How its beginning was detected.
    public var startEvent: BootEvent
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
}

extension Boot {
    public var json: JSON {
        .object([
            ("number", .integer(Int64(number))),
            ("stream", .string(stream.text)),
            ("start", .string(start.description)),
            ("end", end.map { .string($0.description) } ?? .null),
            ("start_event", .string(startEvent.name)),
            ("end_event", endEvent.map { .string($0.name) } ?? .null),
            ("position", .integer(Int64(clamping: position))),
            ("bytes", .integer(Int64(clamping: bytes))),
        ])
    }
}

/// The boots of which something is stored.
public struct BootList {
    /// The boots of `vm`, oldest first. A boot of which only the head is left counts.
    public static func boots(of vm: Store.VM, in store: Store) throws -> [Boot] {
        guard let stream = try consoleStream(of: vm, in: store) else {
            return []
        }
        return try boots(of: stream, in: store)
    }

    /// The stream in which a VM's boots are recorded: its first console.
    static func consoleStream(of vm: Store.VM, in store: Store) throws -> StreamID? {
        let streams = try store.streams(of: vm.directory)
        return streams.first { $0.stream == .console0 } ?? streams.first { $0.stream.text.hasPrefix("console") }
    }

    static func boots(of stream: StreamID, in store: Store) throws -> [Boot] {
        let reader = store.reader(of: stream)
        let blocks = try reader.summaries()
        var boots: [Boot] = []
        var place = Cursor.start
        for block in blocks where !block.flags.isDisjoint(with: .markers) {
            for record in try reader.records(of: block) where record.isMarker {
                if record.offset != place.offset {
                    place = Cursor(offset: record.offset)
                }
                if let detail = RecordDetail(decoding: record.detail).boot {
                    take(detail, at: place, record.time, stream.stream, &boots)
                }
                place.markers += 1
            }
        }
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

    private static func take(
        _ detail: BootDetail,
        at place: Cursor,
        _ time: Timestamp,
        _ stream: StreamName,
        _ boots: inout [Boot]
    ) {
        guard !detail.event.isBeginning else {
            let boot = Boot(
                number: boots.count + 1,
                stream: stream,
                position: detail.position,
                start: time,
                startEvent: detail.event,
                bytes: 0,
                place: detail.position == place.offset ? place : Cursor(offset: detail.position),
                marker: place
            )
            boots.append(boot)
            return
        }
        // The first recorded end counts: a panic is followed by the closing of the console.
        if let last = boots.indices.last, boots[last].endEvent == nil {
            boots[last].end = time
            boots[last].endEvent = detail.event
            boots[last].endPlace = place
        }
    }
}

/// The part of a VM's streams that belongs to one boot: by position in the console, by time in other streams.
struct BootWindow {
    let console: StreamID
    let place: Cursor
    let bound: Cursor?
    let since: Timestamp
    let until: Timestamp?

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
