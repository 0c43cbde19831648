// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query
import SystemIO
import TextFormats

extension SampleStore {
    /// A query over all VMs; the store is read through `files`, when given.
    func query(
        _ rendering: Rendering = Rendering(format: .raw),
        through files: (any FileSystem)? = nil,
        areAll: Bool = false,
        _ change: (inout Selection) throws -> Void = { _ in }
    ) throws -> LogQuery {
        var selection = Selection()
        try change(&selection)
        return try LogQuery(
            store: files.map { Store(root: store.root, fileSystem: $0) } ?? store,
            vms: vms.map(\.vm),
            areAll: areAll,
            selection: selection,
            rendering: rendering,
            now: now
        )
    }
}

extension LogQuery {
    /// Everything that there is now.
    func text() throws -> String {
        var out: [UInt8] = []
        while let chunk = try next() {
            out += chunk
        }
        return String(decoding: out, as: UTF8.self)
    }
}
