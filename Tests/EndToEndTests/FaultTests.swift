// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import TestSupport
import Testing

/// The daemon as a whole under faults of disks, folders and processes. The guests are in this process
/// (`TalkingChardev`), so the bytes that the kernel accepted are known exactly.
@Suite(.serialized) struct FaultTests {}

extension Site {
    /// A chardev that the daemon discovers as the console of `vm`.
    func chardev(_ vm: String, rate: Int) throws -> TalkingChardev {
        try TalkingChardev(path + "/vms/" + vm + ".sock", rate: rate)
    }

    /// Waits until `count` more bytes of the chardev were read.
    func awaitOutput(_ count: Int, of chardev: TalkingChardev) {
        let before = chardev.bytes
        #expect(eventually { chardev.bytes >= before + count }, "the guest at \(chardev.path) cannot write")
    }

    /// Ends the chardev's output, waits until everything written is stored or counted, and compares. Where a daemon was
    /// killed without a keeper it is not `isExact`: the kernel's buffers are unknown then, and only the last output is
    /// waited for.
    func audit(_ chardev: TalkingChardev, _ vm: String, isExact: Bool = true) throws -> CaptureAudit {
        let record = chardev.stopTalking()
        print("longest blocked write, \(vm): \(Double(record.longestWrite / 100) / 10) ms")
        let last = record.lines.last.map(NumberedLines.line) ?? []
        _ = try eventually(within: isExact ? 120 : 20) {
            guard chardev.isDrained else {
                return false
            }
            let text = try stored(vm)
            return isExact
                ? text.bytes.count + text.lostBytes >= record.bytes : text.bytes.suffix(last.count) == last[...]
        }
        return CaptureAudit(record, try stored(vm))
    }

    /// Expects every byte of the chardev stored or counted, each hole marked in its place.
    func expectAccounted(_ chardev: TalkingChardev, _ vm: String) throws {
        let audit = try audit(chardev, vm)
        #expect(audit.isExact && audit.faults.isEmpty, "\(audit)\n\(daemon?.standardError.suffix(2000) ?? "")")
    }
}
