// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO

/// The folder of one `guestlog run`: `run-PID` in the runtime folder, or `run-PID-2` and so on when a process with that
/// number in another container has it.
struct RunFolder {
    private static let prefix = "run-"
    private static let inflightName = "/inflight"
    private let parent: String
    private let path: String

    /// Creates a folder in `parent` that no other process has.
    init(in parent: String) {
        self.parent = parent
        let own = parent + "/" + Self.prefix + String(getpid())
        var path = own
        var number = 2
        while Self.exists(creating: path) {
            path = own + "-" + String(number)
            number += 1
        }
        self.path = path
    }

    /// Creates the folder at `path`; returns whether there was one.
    private static func exists(creating path: String) -> Bool {
        do throws(SystemError) {
            try FileOwner.create(at: path) { () throws(SystemError) in
                try systemCall("mkdir", path) { mkdir(path, 0o750) }
            }
            return false
        } catch {
            return error.code == EEXIST
        }
    }

    /// The folder of the rings.
    var inflight: String { path + Self.inflightName }
    /// The folder of the table of consoles.
    var table: String { path + "/held" }

    /// The ring folders of all runs in `parent`. A folder's lock shows whether its run has ended.
    static func abandoned(in parent: String) -> [String] {
        let names = (try? LinuxFileSystem().names(in: parent)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.sorted().map { parent + "/" + $0 + inflightName }
    }

    /// Removes the folder, unless it still has a ring, and the folders without rings of runs that have ended.
    func remove() {
        Self.remove(path)
        for folder in Self.abandoned(in: parent) where access(folder, F_OK) != 0 {
            Self.remove(String(folder.dropLast(Self.inflightName.utf8.count)))
        }
    }

    private static func remove(_ path: String) {
        DescriptorStore.removeEntries(in: path + "/held")
        rmdir(path)
    }
}
