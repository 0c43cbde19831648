// SPDX-License-Identifier: Apache-2.0

/// The reading of one source that consists of files, in turns that its thread gives it.
protocol FileRun: AnyObject {
    /// Begins where reading ended before.
    func begin() throws
    /// Reads what there is now, up to a limit, and gives it to the store.
    func step() throws -> ReadResult
    /// Gives the store what is held back of a line or a record: nothing more will come.
    func finishInput() throws
    /// Of a console whose files have been read to their end: that end.
    var end: ConsoleEnd? { get }
    /// The bytes that the last turn has read or made.
    var readSize: Int { get }
    /// After how many microseconds another turn is due, even if its files do not change; nil: none is.
    var restTime: Int64? { get }
    /// After how many microseconds it goes on from a file that was renamed; nil: it has read what there is.
    var waitTime: Int64? { get }
    /// The file that is read, of a source that reads several; nil for others, before `begin`, and when there is none.
    var path: String? { get }
    /// Replaces the list of files of a source that reads several.
    func update(_ files: [ConsoleFile])
    /// Ends the use of the streams; what was given to the store is still committed.
    func close()
}

extension FileRun {
    var waitTime: Int64? { nil }
    var path: String? { nil }
    var end: ConsoleEnd? { nil }

    func update(_: [ConsoleFile]) {}
}
