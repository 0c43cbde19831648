import Glibc
import LogStore
import TestSupport
import Testing

/// The daemon as a whole while disks, folders and processes fail under it. The guests are in this process
/// (`TalkingChardev`), so what the kernel took of what they said is known to the byte.
@Suite(.serialized) struct FaultTests {}

extension Site {
    /// A chardev that the daemon here finds as the console of `vm`.
    func chardev(_ vm: String, rate: Int) throws -> TalkingChardev {
        try TalkingChardev(path + "/vms/" + vm + ".sock", rate: rate)
    }

    /// Waits until `count` more bytes of the chardev have left it.
    func awaitOutput(_ count: Int, of chardev: TalkingChardev) {
        let before = chardev.bytes
        #expect(eventually { chardev.bytes >= before + count }, "the guest at \(chardev.path) cannot speak")
    }

    /// Ends the chardev's talk, waits until all that it wrote is stored or counted, and compares. Where a daemon was killed
    /// that had no keeper it `isExact` not: nobody knows what the kernel held then, and what was said last is waited for.
    func audit(_ chardev: TalkingChardev, _ vm: String, isExact: Bool = true) throws -> CaptureAudit {
        let record = chardev.stopTalking()
        print("longest blocked write, \(vm): \(Double(record.longestWrite / 100) / 10) ms")
        let last = record.lines.last.map(NumberedLines.line) ?? []
        _ = try eventually(within: 20) {
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
