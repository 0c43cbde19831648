// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

// What matches the patterns now.
extension PathDiscovery {
    /// Scans the folders of a pattern: by path up to the first placeholder, from there by each folder's descriptor, so
    /// that no link is followed where other users may create one.
    func scan(for pattern: PathPattern, _ index: Int) {
        watchFolder(pattern.trustedFolder)
        do throws(SystemError) {
            let folder = try DirectoryHandle(pattern.trustedFolder)
            note(nil, of: pattern)
            scan(in: folder, Target(pattern: pattern, index: index), level: pattern.literal.count, values: [:])
        } catch {
            note(error, of: pattern)
        }
    }

    private struct Target {
        let pattern: PathPattern
        let index: Int
    }

    private func scan(
        in folder: borrowing DirectoryHandle,
        _ target: Target,
        level: Int,
        values: [String: String]
    ) {
        let component = target.pattern.components[level]
        let isLast = level == target.pattern.components.count - 1
        var names: [String] = []
        if component.count == 1, case .literal(let name) = component[0] {
            names = [name]
        }
        // A folder in which a single existing name is of interest needs no watch.
        if isLast || names.isEmpty || folder.attributes(of: names[0]) == nil {
            watchFolder(folder)
        }
        if names.isEmpty {
            names = self.names(in: folder, like: component, target.pattern)
        }
        for name in names {
            guard let more = PathPattern.match(component, name[...].utf8) else {
                continue
            }
            let all = values.merging(more) { _, new in new }
            if isLast {
                found(name, in: folder, target, all)
            } else {
                enter(name, in: folder, target, level: level + 1, values: all)
            }
        }
    }

    private func enter(
        _ name: String,
        in folder: borrowing DirectoryHandle,
        _ target: Target,
        level: Int,
        values: [String: String]
    ) {
        do throws(SystemError) {
            scan(in: try folder.directory(name), target, level: level, values: values)
        } catch  where error.code == ELOOP {
            ignore(folder.path(of: name), folder.attributes(of: name), error.reason)
        } catch {}
    }

    /// The names in `folder` that match `component`. Names that match except for their form are logged as not captured.
    private func names(
        in folder: borrowing DirectoryHandle,
        like component: [PathPattern.Part],
        _ pattern: PathPattern
    ) -> [String] {
        var names: [String] = []
        var others: [(name: String, reason: String)] = []
        try? folder.forEachName { bytes in
            let name = String(decoding: bytes, as: UTF8.self)
            if !name.utf8.elementsEqual(bytes) {
                if PathPattern.match(component, name[...].utf8, requiringUUID: false) != nil {
                    others.append((name, "its name is not UTF-8"))
                }
            } else if PathPattern.match(component, name[...].utf8) != nil {
                names.append(name)
            } else if PathPattern.match(component, name[...].utf8, requiringUUID: false) != nil {
                others.append((name, "the part for {uuid} in \(pattern.text) is not a UUID"))
            }
        }
        for other in others {
            ignore(folder.path(of: other.name), folder.attributes(of: other.name), other.reason)
        }
        return names
    }

    private func found(
        _ name: String,
        in folder: borrowing DirectoryHandle,
        _ target: Target,
        _ values: [String: String]
    ) {
        let path = folder.path(of: name)
        guard let status = folder.attributes(of: name) else {
            return
        }
        guard status.kind != .link else {
            ignore(path, status, "it is a symbolic link; watched folders must contain the file itself")
            return
        }
        if let reason = onFound(Found(pattern: target.index, path: path, kind: status.kind, values: values)) {
            ignore(path, status, reason)
        }
    }
}
