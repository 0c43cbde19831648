// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel
import SystemIO

/// The last record of the kernel's log that the host has stored, in a file that outlives the agent but not the boot: so
/// an agent that is restarted continues after it.
struct KernelPosition {
    private let folder: String
    private let boot: String
    /// The kernel's records that are not acknowledged yet: their numbers in the session, and the kernel's.
    private var waiting: [(sequence: UInt64, kernel: UInt64)] = []
    private(set) var stored: UInt64?
    private var written: UInt64?

    private static let name = "kernel-position"

    /// Reads the position in `folder`, unless it is of another boot than `boot`.
    init(in folder: String, boot: String) {
        self.folder = folder
        self.boot = boot
        let text = (try? LinuxFileSystem().contents(of: folder + "/" + Self.name)) ?? []
        let words = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace)
        if words.count == 2, words[0] == boot {
            stored = UInt64(words[1])
            written = stored
        }
    }

    /// A record of the kernel has the number `sequence` in the session.
    mutating func note(_ kernel: UInt64, as sequence: UInt64) {
        waiting.append((sequence, kernel))
    }

    /// The records before the number `first` have left the spool.
    mutating func advance(to first: UInt64) {
        guard let end = waiting.firstIndex(where: { $0.sequence >= first }) ?? (waiting.isEmpty ? nil : waiting.count),
            end > 0
        else {
            return
        }
        stored = waiting[end - 1].kernel
        waiting.removeFirst(end)
    }

    /// Writes the position if it has changed. Without it an agent that is restarted sends the kernel's log again.
    mutating func save() {
        guard let stored, stored != written else {
            return
        }
        let files = LinuxFileSystem()
        try? files.makeDirectories(folder)
        if (try? files.replace(Self.name, in: folder, with: Array("\(boot) \(stored)\n".utf8))) != nil {
            written = stored
        }
    }
}
