// SPDX-License-Identifier: Apache-2.0

import SystemIO
import TextFormats

/// What a source reads from.
protocol SourceInput: AnyObject {
    /// Begins reading, at `resume`, or at the beginning when that is nil.
    func begin(at resume: [UInt8]?) throws(SystemError) -> SourceStart
    /// Reads some records, and passes each to `consumer`. Returns what was found.
    func read(into consumer: any RecordConsumer) throws -> ReadResult
    /// Passes on what is held back of a line or a record: nothing more will come.
    func finish(into consumer: any RecordConsumer) throws
    /// After how many microseconds there may be more without any change; nil: after a change only.
    var waitTime: Int64? { get }
    /// After how many microseconds it is to be read again in any case, because it holds text back; nil: it need not be.
    var restTime: Int64? { get }
    /// Waits until there may be more, at most that long.
    func wait(_ interruption: Interruption, within microseconds: Int64)
}

extension SourceInput {
    var waitTime: Int64? { nil }
    var restTime: Int64? { nil }
    func finish(into consumer: any RecordConsumer) throws {}
}

/// What the records of an input are passed to.
protocol RecordConsumer: AnyObject {
    /// Adds the next record; `resume` is the position after it.
    func add(_ record: inout RecordBuffer, endingAt resume: [UInt8]) throws
    /// Leaves the next record out, whose number is used; `resume` is the position after it.
    func omit(endingAt resume: [UInt8])
    /// Commits everything before `resume`, and has reading begin there after any end of the process. To be called before
    /// the first record of a file, where the files before it can vanish.
    func secure(_ resume: [UInt8]) throws
}

/// Where reading has begun.
enum SourceStart: Hashable {
    /// At the position that was wanted, or where a source begins that has none.
    case resumed
    /// At the beginning of other contents: they have replaced those at the position.
    case replaced
    /// Later: something that followed the position is lost, for that reason.
    case skipped(reason: String)
}

/// What a turn of reading has found.
enum ReadResult: Hashable {
    /// There may be more now.
    case more
    /// There is no more now.
    case idle
    /// It cannot be read now, for that reason; to be tried again after a while.
    case failing(String)
    /// There will be no more.
    case end
    /// Something that followed is lost: as many bytes, if that is known, and why.
    case loss(bytes: UInt64?, reason: String)
}
