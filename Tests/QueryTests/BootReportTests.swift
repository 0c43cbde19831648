// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestTraits
import Testing
import TextFormats

@testable import Query

/// What the guest itself says about its boots, beside a console and without one.
@Suite("Boots as the guest reports them", .blocking)
struct BootReportTests {
    private let sample: SampleStore
    private let vm: Store.VM
    private let start: Timestamp

    init() throws {
        sample = try SampleStore()
        vm = try sample.add("web")
        start = sample.now
    }

    private func id(_ digit: Int) -> String { String(repeating: String(digit), count: 32) }

    /// Stores one record in `stream`, a second after what was stored before.
    private func add(_ fields: [(String, String)], to stream: StreamName, ownTime: Timestamp? = nil) throws {
        sample.now = sample.now.advanced(byMicroseconds: 1_000_000)
        let properties = StreamProperties(encoding: .json, clock: .own, isReplayable: true)
        let writer = try sample.vms[0].open(stream, properties: properties, now: sample.now)
        let record = StructuredRecord(fields.map { StructuredRecord.Field($0.0, $0.1) })
        let line = record.encoded(nanoseconds: (ownTime ?? sample.now).microseconds * 1000) + [Lines.feed]
        let detail = RecordDetail(source: [1], ownTime: (ownTime ?? sample.now)...(ownTime ?? sample.now))
        try line.withUnsafeBytes { try writer.append($0, time: sample.now, detail: detail, isWhole: true) }
    }

    private func boots() throws -> [Boot] { try BootList.boots(of: vm, in: sample.store) }

    @Test("a console's boots tell when the guest was ready, how it was shut down and with which status")
    func console() throws {
        try sample.boot(.powerOn)
        try sample.append("one\n")
        try add([("MESSAGE", "m"), ("_BOOT_ID", id(1))], to: .journal)
        try add([("MESSAGE", "READY=1"), ("READY", "1")], to: .notify)
        let ready = sample.now
        try add([("MESSAGE", "x"), ("X_SYSTEMD_SHUTDOWN", "reboot"), ("EXIT_STATUS", "3")], to: .notify)
        try sample.boot(.restart)
        try sample.append("two\n", after: 1_000_000)
        try sample.boot(.firmware)
        try sample.append("three\n", after: 1_000_000)
        try add([("MESSAGE", "m"), ("_BOOT_ID", id(2))], to: .journal)
        let boots = try boots()
        #expect(boots.map(\.bootID) == [id(1), id(2)])
        #expect(boots.map(\.report.ready) == [ready, nil])
        #expect(boots.map(\.report.shutdown) == ["reboot", nil])
        #expect(boots.map(\.report.exitStatus) == [3, nil])
        #expect(boots.map(\.endEvent) == [.restart, nil])
        let json = boots[0].json
        #expect(json["ready"]?.text == ready.description && json["exit_status"]?.integer == 3)
        #expect(boots[1].json["shutdown"] == .null)
    }

    @Test("a power-off that the console did not show ends the boot")
    func quietConsole() throws {
        try sample.boot(.powerOn)
        try sample.append("one\n")
        try add([("MESSAGE", "x"), ("X_SYSTEMD_SHUTDOWN", "poweroff")], to: .notify)
        let boot = try #require(try boots().last)
        #expect(boot.endEvent == .powerDown && boot.end == sample.now)
    }

    @Test("without a console each boot id in the records is a boot, and --boot reads it")
    func identified() throws {
        for boot in 1...3 {
            for number in 1...4 {
                try add([("MESSAGE", "b\(boot) n\(number)"), ("_BOOT_ID", id(boot))], to: .journal)
            }
            try add([("MESSAGE", "READY=1"), ("READY", "1")], to: .notify)
        }
        let boots = try boots()
        #expect(boots.map(\.startEvent) == [.bootID, .bootID, .bootID] && boots.map(\.bootID) == (1...3).map(id))
        #expect(boots.allSatisfy { $0.report.ready != nil && $0.stream == .journal })
        #expect(boots[0].end == boots[1].start)
        let streams: Set<StreamName> = [.journal]
        #expect(
            try sample.query(Rendering(format: .text)) { ($0.boot, $0.streams) = (-1, streams) }.text()
                == (1...4).map { "b2 n\($0)\n" }.joined()
        )
        #expect(try sample.query { ($0.boot, $0.streams) = (0, streams) }.text().contains("b3 n1"))
    }

    @Test("journals of earlier boots that arrive late are boots of their own times")
    func uploaded() throws {
        for boot in 1...2 {
            let time = start.advanced(byMicroseconds: Int64(boot - 5) * 3_600_000_000)
            try add([("MESSAGE", "m"), ("_BOOT_ID", id(boot))], to: .journal, ownTime: time)
        }
        #expect(try boots().map(\.start) == [-4, -3].map { start.advanced(byMicroseconds: $0 * 3_600_000_000) })
    }

    @Test("boots are found without reading the blocks between them, and reading is limited")
    func blocks() throws {
        for boot in 1...4 {
            for _ in 1...20 {
                try add([("MESSAGE", "m"), ("_BOOT_ID", id(boot))], to: .guest)
                try sample.vms[0].open(
                    .guest,
                    properties: StreamProperties(encoding: .json, clock: .own, isReplayable: true),
                    now: sample.now
                ).roll()
            }
        }
        let reader = sample.store.reader(of: sample.id("guest"))
        #expect(try BootIDRun.runs(in: reader).map(\.id) == (1...4).map(id))
        #expect(try BootIDRun.runs(in: reader, blockLimit: 8).count == 4)
        #expect(try BootIDRun.runs(in: reader, blockLimit: 4).map(\.id) == [id(4)])
    }

    @Test("values that a guest may choose neither forge an id nor reach the answer")
    func hostile() throws {
        try add([("MESSAGE", "\"_BOOT_ID\":\"\(id(7))\""), ("_BOOT_ID", "short")], to: .guest)
        try add([("MESSAGE", "m"), ("_BOOT_ID", id(1))], to: .guest)
        try add([("READY", "2"), ("X_SYSTEMD_SHUTDOWN", "\u{1b}[2J"), ("EXIT_STATUS", "999")], to: .notify)
        let boot = try #require(try boots().first)
        #expect(try boots().map(\.bootID) == [id(1)])
        #expect(boot.report == GuestReport())
    }
}
