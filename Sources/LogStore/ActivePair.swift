// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The pair that a writer appends to: the committed lengths, and the files while they are open.
struct ActivePair {
    let base: UInt64
    var dataLength = 0
    var indexLength = 0
    var recordCount = 0
    /// The time of the first record, if this process wrote it.
    var firstTime: Timestamp?
    /// The block that is being written.
    var block = BlockCut()
    var files: (log: StoredFile, index: StoredFile)?
    /// The identities of the files.
    var identities: [FileIdentity?] = []
    /// Whether a write failed and may have left bytes beyond the committed ones.
    var hasFailed = false

    /// Opens the files, which are created when the pair has no records yet, and cuts what a failed write has left.
    mutating func open(_ layout: StreamLayout, on fileSystem: any FileSystem) throws(SystemError) {
        if files == nil {
            let mode: OpenMode = recordCount > 0 ? .update : .create
            files = (
                log: try StoredFile(layout.log(base), mode, on: fileSystem),
                index: try StoredFile(layout.index(base), mode, on: fileSystem)
            )
            identities = currentIdentities(layout, on: fileSystem)
        }
        if hasFailed, let files {
            try files.index.truncate(to: indexLength)
            try files.log.truncate(to: dataLength)
            hasFailed = false
        }
    }

    /// Notes that a record was committed.
    mutating func accept(_ record: IndexRecord, encodedSize: Int) {
        dataLength += Int(record.length)
        indexLength += encodedSize
        recordCount += 1
        firstTime = firstTime ?? record.time
        _ = block.begins(with: record)
    }

    /// The identities of the files with its names.
    func currentIdentities(_ layout: StreamLayout, on fileSystem: any FileSystem) -> [FileIdentity?] {
        [layout.log(base), layout.index(base)].map { fileSystem.status($0)?.identity }
    }
}
