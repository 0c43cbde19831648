// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Writes entries in one format.
protocol EntryWriter {
    /// Appends a line of the stream `input`.
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8])
    /// Appends an event, where the format can represent it. `boot` is the boot's number, for a boot event.
    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8])
    /// An event at `time` ends a line that a part was written of.
    mutating func cutLine(at time: Timestamp, to out: inout [UInt8])
    /// Ends an unfinished line.
    mutating func finish(to out: inout [UInt8])
}

extension EntryWriter {
    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {}
    mutating func cutLine(at time: Timestamp, to out: inout [UInt8]) {}
    mutating func finish(to out: inout [UInt8]) {}
}
