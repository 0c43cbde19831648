// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import VirtLogManager

/// The log of each pipe that the service manager stores in case this process dies.
struct LogTable {
    /// The prefix of the names of stored descriptors.
    static let prefix = "log-"

    private let store: DescriptorStore

    init(in path: String, service: ServiceManager) {
        store = DescriptorStore(in: path, service: service)
    }

    /// The name under which a log's descriptor is stored.
    static func name(of path: String) -> String { prefix + String(path.stableHash(), radix: 16) }

    func put(_ log: LogManager.InheritedLog) {
        store.put(Self.name(of: log.path), log.descriptor, LogManagerState.log(log).bytes)
    }

    func remove(_ path: String) {
        store.remove(Self.name(of: path))
    }

    /// The open logs of the previous process, for the descriptors passed with their names; entries without a descriptor
    /// are removed.
    func load(_ passed: [String: Int32]) -> [LogManager.InheritedLog] {
        store.entries().compactMap { name, entry in
            guard let descriptor = passed[name],
                var log = (try? JSON(parsing: entry)).flatMap(LogManagerState.log)
            else {
                store.remove(name)
                return nil
            }
            log.descriptor = descriptor
            return log
        }
    }
}
