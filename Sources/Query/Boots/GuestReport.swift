// SPDX-License-Identifier: Apache-2.0

public import LogModel
import LogStore
import TextFormats

/// What a guest's service manager reported to the host about one boot (systemd's VM interface, `vmm.notify_socket`).
/// Times are those at which the host received the reports.
public struct GuestReport: Hashable, Sendable {
    /// When the guest had started up (`READY=1`).
    public var ready: Timestamp?
    /// How the guest is shut down (`X_SYSTEMD_SHUTDOWN=`): `poweroff`, `reboot`, `halt`, `kexec` or `exit`. nil: no
    /// orderly shutdown was reported.
    public var shutdown: String?
    /// The status with which the guest ends (`EXIT_STATUS=`), 0 to 255.
    var exitStatus: Int?
}

/// One report.
struct GuestEvent: Equatable {
    enum Kind: Equatable {
        case ready
        case shutdown(String)
        case exitStatus(Int)
    }

    var time: Timestamp
    var kind: Kind

    /// The newest blocks of reports that are read: of a healthy guest, thousands of boots.
    private static let blockLimit = 64

    /// The reports of `vm` at or after `since`, oldest first.
    static func events(of vm: Store.VM, since: Timestamp?, in store: Store) throws -> [GuestEvent] {
        guard let stream = try store.streams(of: vm.directory).first(where: { $0.stream == .notify }) else {
            return []
        }
        let reader = store.reader(of: stream)
        var events: [GuestEvent] = []
        for block in try reader.summaries(since: since ?? .distantPast).suffix(blockLimit) {
            guard let batch = try reader.batch(at: Cursor(offset: block.offset)) else {
                continue
            }
            for line in RecordLines(batch) where names.contains(where: { line.contains($0) }) {
                events += Self.events(in: line)
            }
        }
        return events
    }

    private static let names = ["READY", "X_SYSTEMD_SHUTDOWN", "EXIT_STATUS"].map { Array("\"\($0)\":".utf8) }

    private static func events(in line: RecordLine) -> [GuestEvent] {
        guard let record = StructuredRecord(parsing: line.bytes) else {
            return []
        }
        func value(_ name: String) -> String? {
            record.values(of: name.utf8.map { $0 }).first.map { String(decoding: $0.prefix(16), as: UTF8.self) }
        }
        let isWord = { (word: String) in word.utf8.allSatisfy { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) } }
        let kinds: [Kind?] = [
            value("READY") == "1" ? .ready : nil,
            value("X_SYSTEMD_SHUTDOWN").flatMap { $0.isEmpty || !isWord($0) ? nil : .shutdown($0) },
            value("EXIT_STATUS").flatMap { UInt8($0) }.map { .exitStatus(Int($0)) },
        ]
        return kinds.compactMap { kind in kind.map { GuestEvent(time: line.ownTime ?? line.received, kind: $0) } }
    }
}

extension Boot {
    /// Notes a report about it. The first `READY=1` counts: a service manager that is executed anew repeats it.
    mutating func note(_ event: GuestEvent) {
        switch event.kind {
        case .ready:
            report.ready = report.ready ?? event.time
        case .exitStatus(let status):
            report.exitStatus = status
        case .shutdown(let verb):
            report.shutdown = verb
            guard endEvent == nil, let ending = Self.endings[verb] else {
                return
            }
            endEvent = ending
            end = end ?? event.time
        }
    }

    private static let endings: [String: BootEvent] = [
        "poweroff": .powerDown, "reboot": .restart, "halt": .halt, "kexec": .nextKernel, "exit": .powerDown,
    ]
}
