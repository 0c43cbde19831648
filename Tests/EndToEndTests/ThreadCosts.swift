// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// What a thread of a process has cost, as the kernel counts it.
struct ThreadCosts {
    /// How often it slept.
    let wakes: Int
    /// Its calls of read(2) and the like.
    let reads: Int
    let isIdle: Bool

    /// The costs of the thread `name` of a process; nil when there is none.
    init?(ofThread name: String, in process: pid_t) {
        let tasks = "/proc/\(process)/task"
        let folders = FileText.names(in: tasks).map { tasks + "/" + $0 }
        guard let folder = folders.first(where: { FileText.procText($0 + "/comm") == name + "\n" }) else {
            return nil
        }
        wakes = Self.number(after: "voluntary_ctxt_switches:", in: folder + "/status")
        reads = Self.number(after: "syscr:", in: folder + "/io")
        isIdle = FileText.procText(folder + "/stat").contains(") S ")
    }

    static func number(after word: String, in path: String) -> Int {
        let line = FileText.procText(path).split(separator: "\n").first { $0.hasPrefix(word) } ?? ""
        return Int(line.dropFirst(word.count).filter(\.isNumber)) ?? 0
    }

    /// The number of files of a process whose paths begin with `prefix`.
    static func openFiles(of process: pid_t, below prefix: String) -> Int {
        FileText.names(in: "/proc/\(process)/fd").count { name in
            var path = [UInt8](repeating: 0, count: 4096)
            let count = readlink("/proc/\(process)/fd/" + name, &path, path.count)
            return String(decoding: path[..<max(0, count)], as: UTF8.self).hasPrefix(prefix)
        }
    }
}
