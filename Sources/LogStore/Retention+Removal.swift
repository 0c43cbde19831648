// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// What is removed because of its age, and whole VMs.
extension Retention {
    func removeOlder(than limit: Timestamp, in vm: Store.VM) throws(SystemError) -> Freed {
        var freed = Freed()
        for stream in try store.streams(of: vm.directory) {
            let layout = StreamLayout(path: store.path(of: stream))
            for extent in try evictable(stream) {
                guard extent.kind == .segment, try latest(in: extent, layout) < limit else {
                    break
                }
                freed += try evict([extent], of: stream)
            }
            for extent in try layout.extents(on: store.fileSystem) where extent.kind == .head {
                if try latest(in: extent, layout) < limit {
                    freed += try removeHead(extent, layout)
                }
            }
        }
        return freed
    }

    private func latest(in extent: StreamLayout.Extent, _ layout: StreamLayout) throws(SystemError) -> Timestamp {
        if let latest = try blocks(of: extent, layout).lazy.map(\.timeRange.upperBound).max() {
            return latest
        }
        // Damaged, or emptied by a crash.
        let modified = store.fileSystem.status(layout.file(extent))?.modified
        return modified.map { Timestamp(microseconds: $0) } ?? .distantPast
    }

    func remove(_ files: [String]) throws(SystemError) -> Freed {
        var freed = Freed(files: 1)
        for file in files {
            if let status = store.fileSystem.status(file) {
                freed.bytes += max(StoreLimits.fileCost, status.size)
                if status.isDirectory {
                    try removeTree(file)
                } else {
                    try store.fileSystem.remove(file)
                }
            }
        }
        return freed
    }

    /// Removes a VM's whole history. The caller ensures that it has no writer.
    public func remove(_ vm: Store.VM) throws(SystemError) {
        try removeTree(store.path(of: vm.directory))
        usages[vm.directory] = nil
    }

    private func removeTree(_ path: String) throws(SystemError) {
        // The files with the identity are removed last: a folder left by a crash can still be identified and removed.
        let facts: Set<String> = ["vm.json", "meta.json"]
        let names = try store.fileSystem.names(in: path)
        for name in names.filter({ !facts.contains($0) }) + names.filter(facts.contains) {
            let entry = path + "/" + name
            if store.fileSystem.status(entry)?.isDirectory == true {
                try removeTree(entry)
            } else {
                try store.fileSystem.remove(entry)
            }
        }
        try store.fileSystem.removeDirectory(path)
    }
}
