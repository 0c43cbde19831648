import LogModel
import LogStore
import SystemIO
import VirtLogManager

/// Which log each pipe is that the service manager keeps for us, in case this process dies.
struct LogTable {
    /// What the names of the stored descriptors begin with.
    static let prefix = "log-"

    private let folder: EntryFolder
    private let service: ServiceManager

    /// The table in the folder at `path`.
    init(in path: String, service: ServiceManager) {
        folder = EntryFolder(path)
        self.service = service
    }

    /// The name under which a log's descriptor is stored.
    static func name(of path: String) -> String { prefix + String(path.stableHash(), radix: 16) }

    func put(_ log: LogManager.InheritedLog) {
        let name = Self.name(of: log.path)
        // Without it the next process has the pipe, and knows not whose it is.
        try? folder.put(name, LogManagerState.log(log))
        // Without FDPOLL=0 the manager would let go of a pipe that nobody writes to before we know.
        service.notify("FDSTORE=1\nFDPOLL=0\nFDNAME=\(name)", descriptors: [log.descriptor])
    }

    func remove(_ path: String) {
        let name = Self.name(of: path)
        folder.remove(name)
        service.notify("FDSTOREREMOVE=1\nFDNAME=\(name)")
    }

    /// The logs that a process before this one had open, for the descriptors that came with their names; the others are
    /// forgotten.
    func load(_ passed: [String: Int32]) -> [LogManager.InheritedLog] {
        folder.entries().compactMap { name, entry in
            guard let descriptor = passed[name], var log = LogManagerState.log(entry) else {
                folder.remove(name)
                return nil
            }
            log.descriptor = descriptor
            return log
        }
    }
}
