import LogModel
import LogStore
import SystemIO
import VirtLogManager

/// Which log each pipe is that the service manager keeps for us, in case this process dies: written at every change.
final class LogTable {
    /// What the names of the stored descriptors begin with.
    static let prefix = "log-"

    private let path: String
    private let service: ServiceManager
    private var logs: [String: LogManager.Handed] = [:]

    init(path: String, service: ServiceManager) {
        self.path = path
        self.service = service
    }

    private static func name(of path: String) -> String { prefix + String(path.stableHash(), radix: 16) }

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
        guard let text = try? StoredFile(path, .read, on: LinuxFileSystem()).contents(),
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
        let fileSystem = LinuxFileSystem()
        guard let file = try? StoredFile(path + ".new", .create, on: fileSystem), (try? file.truncate(to: 0)) != nil,
            (try? file.write(at: 0, text)) != nil
        else {
            return
        }
        try? fileSystem.rename(path + ".new", to: path)
    }
}
