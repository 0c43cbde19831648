public import LogModel
public import LogStore

/// One boot of a VM: from where the machine started to where the next one begins.
public struct Boot: Hashable, Sendable {
    /// Its number among those kept, 1 for the oldest.
    public var number: Int
    /// The stream that tells of it, the console.
    public var stream: StreamName
    /// Position of its first byte in that stream.
    public var position: UInt64
    /// When it began.
    public var start: Timestamp
    /// When it ended, or the next began; nil while it lasts.
    public var end: Timestamp?
    /// How its beginning was noticed.
    public var startEvent: BootEvent
    /// How its end was noticed; nil when it was not.
    public var endEvent: BootEvent?
    /// Bytes of text kept of it in that stream.
    public var bytes: UInt64

    /// Where it begins, its own marker not yet seen.
    var place: Cursor
    /// Where the marker stands that tells of it; boots that said nothing begin at the same position.
    var marker: Cursor
    /// Where the marker stands that told of its end first.
    var endPlace: Cursor?
}

extension Boot {
    /// The boot as the API gives it.
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

/// The boots of which something is kept.
public struct BootList {
    /// The boots of `vm`, oldest first. A boot of which only the head is left counts.
    public static func boots(of vm: Store.VM, in store: Store) throws -> [Boot] {
        guard let stream = try consoleStream(of: vm, in: store) else {
            return []
        }
        return try boots(of: stream, in: store)
    }

    /// The stream that tells of a VM's boots: its first console.
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
        // The first end told of is the boot's: a panic is followed by the console being closed.
        if let last = boots.indices.last, boots[last].endEvent == nil {
            boots[last].end = time
            boots[last].endEvent = detail.event
            boots[last].endPlace = place
        }
    }
}

/// The part of a VM's streams that belongs to one boot: the console's by position, the others' by time.
struct BootWindow {
    let console: StreamID
    let place: Cursor
    let bound: Cursor?
    let since: Timestamp
    let until: Timestamp?

    /// The window of the boot that `number` names (`Selection.boot`); nil when that is all there is.
    init?(_ number: Int, of vm: Store.VM, in store: Store) throws {
        let boots = try BootList.boots(of: vm, in: store)
        guard let console = try BootList.consoleStream(of: vm, in: store), let index = Self.index(number, boots) else {
            // Joined while it ran: all that was seen of it is the latest boot.
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
        case 0: return QueryError(.noSuchBoot, "no boot of \(name) was seen; its log can be read without --boot")
        case 1: return QueryError(.noSuchBoot, "\(name) has no boot \(number): only one is kept, which is 0")
        default:
            return QueryError(
                .noSuchBoot,
                "\(name) has no boot \(number): \(kept) are kept, \(1 - kept) to 0 or 1 to \(kept); see 'guestlog boots'"
            )
        }
    }
}
