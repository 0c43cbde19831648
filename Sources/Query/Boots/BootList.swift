// SPDX-License-Identifier: Apache-2.0

import LogModel
public import LogStore

/// The boots of which something is stored.
public struct BootList {
    /// The boots of `vm`, oldest first, with what the guest itself reported about them; of more than 10,000 the newest,
    /// with their numbers. A boot of which only the head is left, or of which the beginning was removed, counts.
    public static func boots(of vm: Store.VM, in store: Store) throws -> [Boot] {
        guard let stream = try recordingStream(of: vm, in: store) else {
            return []
        }
        let runs = try bootIDRuns(of: vm, in: store)
        var boots = try recordedBoots(of: stream, in: store)
        // When each began, by the host's clock.
        let starts = boots.map { boot in
            boot.startEvent == .bootID ? runs.first { $0.id == boot.bootID }?.received ?? boot.start : boot.start
        }
        for (run, index) in runs.map({ run in (run, starts.lastIndex { $0 <= run.received }) }) {
            // Old journals that are uploaded come before this boot's.
            if let index, boots[index].startEvent != .bootID {
                boots[index].bootID = run.id
            }
        }
        for event in try GuestEvent.events(of: vm, since: starts.first, in: store) {
            if let index = starts.lastIndex(where: { $0 <= event.time }) {
                boots[index].note(event)
            }
        }
        if let last = boots.indices.last, boots[last].end == nil, !store.isWritten(vm) {
            boots[last].end = try store.reader(of: stream).summaries().last?.timeRange.upperBound
        }
        return boots
    }

    /// The boots of `vm` without what the guest reported about them.
    static func recordedBoots(of vm: Store.VM, in store: Store) throws -> [Boot] {
        try recordingStream(of: vm, in: store).map { try recordedBoots(of: $0, in: store) } ?? []
    }

    private static func recordedBoots(of stream: StreamID, in store: Store) throws -> [Boot] {
        store.properties(of: stream).encoding == .json
            ? try boots(ofRecords: stream, in: store) : try boots(of: stream, in: store)
    }

    /// The stream in which a VM's boots are recorded: its first console; without any, the records with boot ids.
    static func recordingStream(of vm: Store.VM, in store: Store) throws -> StreamID? {
        let streams = try store.streams(of: vm.directory)
        return streams.first { $0.stream == .console0 }
            ?? streams.first { $0.stream.text.hasPrefix("console") } ?? identifyingStream(in: streams)
    }

    /// The stream whose records have boot ids.
    private static func identifyingStream(in streams: [StreamID]) -> StreamID? {
        [.journal, .guest].lazy.compactMap { name in streams.first { $0.stream == name } }.first
    }

    private static func bootIDRuns(of vm: Store.VM, in store: Store) throws -> [BootIDRun] {
        try identifyingStream(in: store.streams(of: vm.directory)).map { try BootIDRun.runs(in: store.reader(of: $0)) }
            ?? []
    }

    /// The boots that the boot ids in a stream of records show.
    private static func boots(ofRecords stream: StreamID, in store: Store) throws -> [Boot] {
        let reader = store.reader(of: stream)
        var list = BootList(stream: stream.stream)
        for run in try BootIDRun.runs(in: reader) {
            let beginning = Cursor(offset: run.offset)
            list.append(list.boot(.bootID, run.offset, run.start, beginning: beginning, marker: beginning))
            list.boots[list.boots.count - 1].bootID = run.id
        }
        return list.finish(try reader.summaries())
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
                list.apply(record)
            }
        }
        list.reopen(ifTextUntil: blocks.last?.end ?? 0)
        return list.finish(blocks)
    }

    private let stream: StreamName
    /// The newest boots. A guest that prints banners for days has millions.
    private var boots: [Boot] = []
    /// The number of boots before them.
    private var earlier = 0

    /// How many boots are kept at least, if there are as many.
    static let kept = 10_000
    /// The position of the latest marker.
    private var markerPosition = Cursor.start
    /// The position of the latest marker of a console's closing.
    private var closing: Cursor?
    /// The latest doubtful beginning: a boot if a kernel's marker for the same position follows.
    private var doubtful: (position: UInt64, marker: Cursor, time: Timestamp)?

    private init(stream: StreamName) {
        self.stream = stream
    }

    /// The first text that is left belongs to a boot whose beginning was removed, unless a boot begins there.
    private mutating func beginUnseen(at position: UInt64, _ time: Timestamp) {
        boots = [boot(nil, position, time, beginning: Cursor(offset: position), marker: Cursor(offset: position))]
    }

    private mutating func apply(_ record: IndexRecord) {
        if record.offset != markerPosition.offset {
            markerPosition = Cursor(offset: record.offset)
        }
        let detail = RecordDetail(decoding: record.detail)
        if let reason = detail.gap?.reason, reason == .disconnected || reason == .daemonAway {
            reopen()
        }
        if let boot = detail.boot {
            let offset = markerPosition.offset
            reopen(ifTextUntil: boot.event.isBeginning ? min(boot.position, offset) : offset)
            apply(boot, record.time)
        }
        markerPosition.markers += 1
    }

    /// The console of the latest boot is connected again to the same machine: its closing was no end.
    private mutating func reopen() {
        guard let last = boots.indices.last, boots[last].isClosed else {
            return
        }
        boots[last].isClosed = false
        if boots[last].endEvent == .closed {
            (boots[last].end, boots[last].endEvent) = (nil, nil)
            (boots[last].endMarker, boots[last].endAnnouncement) = (nil, nil)
        }
    }

    /// The same, if there is text of the latest boot after its closing and before `position`. Not all consoles get a gap's
    /// marker when they are connected again: some lose nothing.
    private mutating func reopen(ifTextUntil position: UInt64) {
        if let closing, closing.offset < position {
            reopen()
        }
    }

    private mutating func apply(_ detail: BootDetail, _ time: Timestamp) {
        guard detail.event != .doubtful else {
            doubtful = (detail.position, markerPosition, time)
            return
        }
        guard !detail.event.isBeginning else {
            begin(detail, time)
            return
        }
        if detail.event == .closed, let last = boots.indices.last {
            boots[last].isClosed = true
            closing = markerPosition
        }
        // The first recorded end counts: a panic is followed by the closing of the console.
        if let last = boots.indices.last, boots[last].endEvent == nil {
            boots[last].end = time
            boots[last].endEvent = detail.event
            boots[last].endMarker = markerPosition
            boots[last].endAnnouncement = min(detail.position, markerPosition.offset)
        }
    }

    private mutating func begin(_ detail: BootDetail, _ time: Timestamp) {
        if boots.count == 1, let first = boots.first, first.startEvent == nil, first.endEvent == nil,
            first.position >= detail.position
        {
            boots = []
        }
        if let doubtful, detail.event == .kernel, doubtful.position == detail.position {
            append(boot(.kernel, detail.position, doubtful.time, beginning: doubtful.marker, marker: doubtful.marker))
            return
        }
        let start = detail.position == markerPosition.offset ? markerPosition : Cursor(offset: detail.position)
        append(boot(detail.event, detail.position, time, beginning: start, marker: markerPosition))
    }

    private mutating func append(_ boot: Boot) {
        if boots.count == 2 * Self.kept {
            boots.removeFirst(Self.kept)
            earlier += Self.kept
        }
        boots.append(boot)
    }

    private func boot(
        _ event: BootEvent?,
        _ position: UInt64,
        _ time: Timestamp,
        beginning: Cursor,
        marker: Cursor
    ) -> Boot {
        Boot(
            number: earlier + boots.count + 1,
            stream: stream,
            position: position,
            start: time,
            startEvent: event,
            bytes: 0,
            beginning: beginning,
            marker: marker
        )
    }

    /// The boots, with what their successors and the stored `blocks` show.
    private func finish(_ blocks: [BlockSummary]) -> [Boot] {
        var boots = boots
        for index in boots.indices {
            let next = index + 1 < boots.count ? boots[index + 1] : nil
            boots[index].end = boots[index].end ?? next?.start
            let range = boots[index].position..<max(boots[index].position, next?.position ?? .max)
            // The blocks are in order.
            var block = Self.firstBlock(of: blocks, endingAfter: range.lowerBound)
            while block < blocks.count, blocks[block].offset < range.upperBound {
                let (from, to) = (max(blocks[block].offset, range.lowerBound), min(blocks[block].end, range.upperBound))
                boots[index].bytes += to - from
                block += 1
            }
        }
        return boots
    }

    /// The boot that the marker `detail` at `position` belongs to, among `boots`, which are in order.
    static func boot(of detail: BootDetail, at position: Cursor, in boots: [Boot]) -> Boot? {
        var (low, high) = (0, boots.count)
        while low < high {
            let middle = (low + high) / 2
            let begin = detail.event.isBeginning ? boots[middle].marker : boots[middle].beginning
            if begin <= position {
                low = middle + 1
            } else {
                high = middle
            }
        }
        // A doubtful beginning that was confirmed has an earlier marker.
        return boots[max(0, low - 2)..<low].last { boot in
            !detail.event.isBeginning || boot.marker == position
                || detail.event == .kernel && boot.position == detail.position
        }
    }

    private static func firstBlock(of blocks: [BlockSummary], endingAfter position: UInt64) -> Int {
        var (low, high) = (0, blocks.count)
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].end > position {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
