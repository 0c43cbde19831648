import Glibc
import LogStore
import SystemIO

/// The folder for what lives only as long as one `guestlog run`: `run-PID` in the runtime folder; where containers share
/// that, and a process of another has the number, `run-PID-2` and so on.
struct RunFolder {
    private static let prefix = "run-"
    private static let inflightName = "/inflight"
    private let parent: String
    private let path: String

    /// A folder in `parent` that no other process has.
    init(in parent: String) {
        self.parent = parent
        let own = parent + "/" + Self.prefix + String(getpid())
        var path = own
        var number = 2
        while mkdir(path, 0o750) != 0, errno == EEXIST {
            path = own + "-" + String(number)
            number += 1
        }
        self.path = path
    }

    /// The folder of the rings.
    var inflight: String { path + Self.inflightName }
    /// The folder of the table of consoles.
    var table: String { path + "/held" }

    /// The ring folders of all runs in `parent`. Whether a run has ended, its folder's lock tells.
    static func abandoned(in parent: String) -> [String] {
        let names = (try? LinuxFileSystem().names(in: parent)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.sorted().map { parent + "/" + $0 + inflightName }
    }

    /// Removes the folder, unless a ring was left in it; and those of runs that have ended and left none.
    func remove() {
        Self.remove(path)
        for folder in Self.abandoned(in: parent) where access(folder, F_OK) != 0 {
            Self.remove(String(folder.dropLast(Self.inflightName.utf8.count)))
        }
    }

    private static func remove(_ path: String) {
        EntryFolder(path + "/held").removeAll()
        rmdir(path)
    }
}
