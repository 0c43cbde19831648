// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import LogStore
import Query

/// What shells complete words to.
enum Completions {
    /// The VMs in the local store, if this user may read it.
    static let vms = CompletionKind.custom { _, _, _ in
        guard let options = try? PathOptions.parse([]), let root = try? options.readerPaths().store else {
            return []
        }
        return ((try? Store(root: root).vms()) ?? []).map(\.identity.nameWithNamespace)
    }

    static let formats = CompletionKind.list(OutputFormat.allCases.map(\.rawValue))
    static let severities = CompletionKind.list(
        ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
    )
    static let scopes = CompletionKind.list(["read", "console", "admin"])
}
