// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// The program's code in memory. The kernel maps it in large pieces around what is run, so after the start most of it is
/// mapped, and counts as the agent's memory.
enum ProgramCode {
    /// More than the mappings of a statically linked program take.
    private static let sizeLimit = 64 << 10

    /// Unmaps all code pages; those that are run again are mapped again, from the page cache or the file.
    static func release() {
        for range in ranges(in: ProcFile.bytes("/proc/self/maps", limit: sizeLimit)) {
            madvise(UnsafeMutableRawPointer(bitPattern: range.lowerBound), range.count, MADV_DONTNEED)
        }
    }

    /// The addresses of code that is mapped from files, which nothing has changed, by the text of /proc/PID/maps
    /// (proc(5)).
    static func ranges(in maps: [UInt8]) -> [Range<UInt>] {
        maps.split(separator: Lines.feed).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            let addresses = fields.first?.split(separator: "-").compactMap { UInt($0, radix: 16) } ?? []
            guard fields.count >= 6, fields[1] == "r-xp", fields[5].hasPrefix("/"), addresses.count == 2,
                addresses[0] < addresses[1]
            else {
                return nil
            }
            return addresses[0]..<addresses[1]
        }
    }
}
