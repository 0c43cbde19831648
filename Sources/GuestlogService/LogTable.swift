// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import VirtLogManager

/// The log of each pipe that the service manager stores in case this process dies.
struct LogTable {
    /// The prefix of the names of stored descriptors.
    static let prefix = "log-"

    private let folder: EntryFolder
    private let service: ServiceManager

    init(in path: String, service: ServiceManager) {
        folder = EntryFolder(path)
        self.service = service
    }

    /// The name under which a log's descriptor is stored.
    static func name(of path: String) -> String { prefix + String(path.stableHash(), radix: 16) }

    func put(_ log: LogManager.InheritedLog) {
        let name = Self.name(of: log.path)
        // Without the entry the next process gets the pipe and cannot assign it.
        try? folder.put(name, LogManagerState.log(log))
        service.store(log.descriptor, as: name)
    }

    func remove(_ path: String) {
        let name = Self.name(of: path)
        folder.remove(name)
        service.removeStored(name)
    }

    /// The open logs of the previous process, for the descriptors passed with their names; entries without a descriptor
    /// are removed.
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
