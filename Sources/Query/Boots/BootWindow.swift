// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// The part of a VM's streams that belongs to one boot: by position in the stream that recorded it, by
/// time in others.
struct BootWindow {
    let stream: StreamID
    let start: Cursor
    let bound: Cursor?
    let since: Timestamp
    let until: Timestamp?
    /// Where the end of the boot was announced, and when that was recorded: the machine is about to start again. nil
    /// while the boot lasts, and once the console is closed.
    var end: (position: UInt64, time: Timestamp)?

    /// The window of the boot `number` (`Selection.boot`); nil when that is everything.
    init?(_ number: Int, of vm: Store.VM, in store: Store) throws {
        let boots = try BootList.recordedBoots(of: vm, in: store)
        guard let stream = try BootList.recordingStream(of: vm, in: store), let index = Self.index(number, boots) else {
            // Joined while it ran: everything stored is the latest boot.
            if number == 0, boots.isEmpty {
                return nil
            }
            throw Self.noSuchBoot(number, boots, vm)
        }
        self.stream = stream
        start = boots[index].beginning
        since = boots[index].start
        let next = index + 1 < boots.count ? boots[index + 1] : nil
        bound = next?.beginning
        until = next?.start.advanced(byMicroseconds: -1)
        let announcement = boots[index].isClosed ? nil : boots[index].endAnnouncement
        end = boots[index].end.flatMap { time in announcement.map { (position: $0, time: time) } }
    }

    private static func index(_ number: Int, _ boots: [Boot]) -> Int? {
        let index = number > 0 ? number - (boots.first?.number ?? 1) : boots.count - 1 + number
        return boots.indices.contains(index) ? index : nil
    }

    private static func noSuchBoot(_ number: Int, _ boots: [Boot], _ vm: Store.VM) -> QueryError {
        let name = VMLookup.quoted(vm.identity.name)
        let kept = boots.count
        switch kept {
        case 0: return QueryError(.noSuchBoot, "\(name) has no recorded boot; omit --boot to read its log")
        case 1: return QueryError(.noSuchBoot, "\(name) has no boot \(number): only boot 0 is stored")
        default:
            return QueryError(
                .noSuchBoot,
                "\(name) has no boot \(number): \(kept) are stored, \(1 - kept) to 0 or \(boots[0].number) to "
                    + "\(boots[kept - 1].number); see 'guestlog boots'"
            )
        }
    }
}
