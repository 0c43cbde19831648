// SPDX-License-Identifier: Apache-2.0

import SystemIO
import TextFormats

/// What a source reads from.
protocol SourceInput: AnyObject {
    /// Begins reading, at `resume`, or at the beginning when that is nil. Returns whether nothing that followed `resume`
    /// is missing.
    func begin(at resume: [UInt8]?) throws(SystemError) -> Bool
    /// Reads some records, and passes each to `add` with the place after it. Returns what was found.
    ///
    /// An input of several files, of which each can vanish before those after it, calls `secure` before the first record
    /// of a file, with the file's beginning: when that returns, everything before is committed, and reading can begin
    /// there.
    func read(
        _ add: (inout RecordBuffer, [UInt8]) throws -> Void,
        secure: ([UInt8]) throws -> Void
    ) throws -> SourceReading
    /// Waits until there may be more, at most that long.
    func wait(_ interruption: Interruption, within microseconds: Int64)
}

/// What a turn of reading has found.
enum SourceReading: Hashable {
    /// There may be more now.
    case more
    /// There is no more now.
    case idle
    /// There will be no more.
    case end
    /// Something that followed is lost: as many bytes, if that is known, and why.
    case loss(bytes: UInt64?, reason: String)
}
