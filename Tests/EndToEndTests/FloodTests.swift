// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

extension EndToEnd {
    /// A guest that prints far more than is kept.
    @Suite struct FloodTests {
        /// The guest's quota.
        private static let quota = 256 << 10
        /// The maximum excess when everything is sealed: the pair being written, text and index, and the growing
        /// segment, an eighth of the quota and a block.
        private static let growing =
            StoreLimits.blockLimit + 32 * StoreLimits.recordsPerPair + quota / 8 + StoreLimits.blockLimit

        @Test("a flood of 20 MB never takes half of that, ends within its quota, and the beginning of the boot is kept")
        func isBounded() throws {
            let retention = "retention:\n  overrides:\n    - vms: flo*\n      size: \(Self.quota)"
            let site = try Site(plainFiles: true, extra: retention)
            let guest = Guest(
                "flood",
                words: "gflood=20 glogin=0 gpoweroff=1",
                chardev: .server(site.path + "/vms/flood.sock"),
                device: .virtio,
                in: site.path
            )
            var largest = 0
            let hasEnded = eventually(within: 120) {
                largest = max(largest, FileText.size(below: site.path + "/store/flood"))
                return guest.qemu.hasEnded
            }
            #expect(hasEnded)
            #expect(try eventually { try site.stored("flood").boots.last?.event == .closed })
            // How far sealing lags behind the flood depends on the disk.
            #expect(largest < 10_000_000, "\(largest) bytes at most")
            let isBack = eventually { FileText.size(below: site.path + "/store/flood") <= Self.quota + Self.growing }
            #expect(isBack, "\(FileText.size(below: site.path + "/store/flood")) bytes when the flood is over")

            // The middle was removed: the boot's head is there, and the end.
            // While the last pairs are sealed, retention removes more, and a reader beside it may meet two removed ranges.
            var stored = try site.stored("flood")
            let hasOneGap = try eventually {
                stored = try site.stored("flood")
                return stored.missing.map(\.reason) == [.retention]
            }
            #expect(hasOneGap, "\(stored.missing)")
            #expect(stored.bytes.starts(with: guest.printed.prefix(1000)))
            #expect(stored.bytes.suffix(1000).firstRange(of: Array("GUEST-DONE".utf8)) != nil)
            #expect(stored.gaps.allSatisfy { $0.reason == .overflow }, "the rate limit was not reached")
            #expect(stored.bytes.count < 20_000_000)
            let boots = site.guestlog("boots", "flood", "-o", "json").text
            #expect(boots.contains("power-on"))

            checkPlainFiles(site, stored: stored.bytesSinceMissing)
        }

        /// The plain files have the end of the received output, under virtlogd's names: each line once, in order.
        ///
        /// Not all output is received: QEMU's virtio console drops what its socket does not accept at once, as on a
        /// busy machine.
        private func checkPlainFiles(_ site: Site, stored: ArraySlice<UInt8>) {
            let names = FileText.names(in: site.path + "/plain")
            #expect(["flood.log", "flood.log.0", "flood.log.1", "flood.log.2"].starts(with: names) && names.count > 1)
            var concatenated: [UInt8] = []
            for name in names.dropFirst().reversed() + ["flood.log"] {
                let bytes = FileText.bytes(site.path + "/plain/" + name)
                #expect(bytes.count <= 2 << 20)
                if name != "flood.log" {
                    // A file is cut at a line's end near its limit.
                    #expect(bytes.count > (2 << 20) - 4096)
                    #expect(bytes.last == UInt8(ascii: "\n"))
                }
                concatenated += bytes
            }
            let common = min(stored.count, concatenated.count, 100_000)
            #expect(difference(Array(concatenated.suffix(common)), Array(stored.suffix(common))) == nil)
            let numbers = concatenated.split(separator: UInt8(ascii: "\n")).compactMap { line in
                line.starts(with: "guestlog-flood ".utf8)
                    ? Int(String(decoding: line.dropFirst(15).prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)) : nil
            }
            #expect(numbers.count > 20_000)
            #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 })
        }
    }
}
