// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import VirtLogManager

/// The log of each pipe that the service manager stores in case this process dies.
struct LogTable {
    private let store: DescriptorStore

    init(in path: String, service: ServiceManager) {
        store = DescriptorStore(in: path, prefix: "l", formerPrefix: "log-", service: service)
    }

    /// Whether a descriptor that was passed under `name` may be a log's.
    func ownsName(_ name: String) -> Bool { store.ownsName(name) }

    /// The name under which the descriptor of the log at `path` is stored, or will be.
    func name(of path: String) -> String { store.name(of: path) }

    func put(_ log: LogManager.InheritedLog) {
        store.put(log.path, log.descriptor, LogManagerState.log(log).bytes)
    }

    func remove(_ path: String) {
        store.remove(path)
    }

    /// The open logs of the previous process, for the descriptors passed with their names; entries without a descriptor
    /// are removed.
    func load(_ passed: [String: Int32]) -> [LogManager.InheritedLog] {
        adopt { name, log in
            guard let descriptor = passed[name] else {
                return nil
            }
            var log = log
            log.descriptor = descriptor
            return log
        }
    }

    /// Takes over the names of `logs`, whose descriptors the previous image has left in this process, and removes all
    /// other entries.
    func adopt(_ logs: [LogManager.InheritedLog]) {
        let paths = Set(logs.map { Bytewise($0.path) })
        _ = adopt { _, log in paths.contains(Bytewise(log.path)) ? log : nil }
    }

    /// Takes over the names of the logs that `accepted` returns, and removes the other entries.
    private func adopt(
        _ accepted: (String, LogManager.InheritedLog) -> LogManager.InheritedLog?
    ) -> [LogManager.InheritedLog] {
        store.entries().compactMap { name, entry in
            guard store.ownsName(name), let log = (try? JSON(parsing: entry)).flatMap(LogManagerState.log),
                let log = accepted(name, log)
            else {
                store.remove(named: name)
                return nil
            }
            store.adopt(name, for: log.path)
            return log
        }
    }
}
