import LogModel
import LogStore
import SystemIO
import VirtLogManager

/// Which log each pipe is that the service manager keeps for us, in case this process dies: written at every change.
final class LogTable {
    /// What the names of the stored descriptors begin with.
    static let prefix = "log-"

    private static let file = "logs.json"

    private let folder: String
    private let service: ServiceManager
    private var logs: [String: LogManager.Handed] = [:]

    /// The table in `folder`.
    init(in folder: String, service: ServiceManager) {
        self.folder = folder
        self.service = service
    }

    /// The name under which a log's descriptor is stored.
    static func name(of path: String) -> String { prefix + String(path.stableHash(), radix: 16) }

    func put(_ log: LogManager.Handed) {
        logs[log.path] = log
        save()
        // Without FDPOLL=0 the manager would let go of a pipe that nobody writes to before we know.
        service.notify("FDSTORE=1\nFDPOLL=0\nFDNAME=\(Self.name(of: log.path))", descriptors: [log.descriptor])
    }

    func remove(_ path: String) {
        logs[path] = nil
        save()
        service.notify("FDSTOREREMOVE=1\nFDNAME=\(Self.name(of: path))")
    }

    /// The logs that a process before this one had open, for the descriptors that came with their names.
    func load(_ passed: [String: Int32]) -> [LogManager.Handed] {
        let fileSystem = LinuxFileSystem()
        guard let text = try? fileSystem.contents(of: folder + "/" + Self.file, limit: LinuxFileSystem.tableLimit),
            let json = try? JSON(parsing: text)
        else {
            return []
        }
        return (json.elements ?? []).compactMap { LogManagerState.log($0) }.compactMap { log in
            var log = log
            guard let descriptor = passed[Self.name(of: log.path)] else {
                return nil
            }
            log.descriptor = descriptor
            return log
        }
    }

    private func save() {
        let text = JSON.array(logs.values.sorted { $0.path < $1.path }.map { LogManagerState.log($0) }).bytes
        // Without it the next process has the pipes, and knows not whose they are.
        try? LinuxFileSystem().replace(Self.file, in: folder, with: text)
    }
}
