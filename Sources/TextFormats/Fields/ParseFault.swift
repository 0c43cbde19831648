// SPDX-License-Identifier: Apache-2.0

/// Why a parser could not read all of a text. What it could not read is kept.
public enum ParseFault: String, Error, Hashable, Sendable, CustomStringConvertible {
    /// A quoted value has no end.
    case openQuote = "a quote is not closed"
    /// Something is not a key with a value.
    case noPair = "something is not a key=value pair"
    /// An object in JSON is malformed or cut off.
    case malformedJSON = "malformed or incomplete JSON"
    /// Other output was written into the record.
    case interrupted = "other output is inside the record"
    /// A text has more records than are read of it.
    case manyRecords = "too many records in one text"
    /// A field with the record's time has another text.
    case unreadableTime = "the time cannot be read"
    /// The text has not the form at all.
    case otherForm = "not in this format"

    public var description: String { rawValue }

    /// The field with what could not be parsed.
    public static let unparsedName: ConstantBytes = "GUESTLOG_UNPARSED"
    /// The field with the reason.
    public static let faultName: ConstantBytes = "GUESTLOG_PARSE_ERROR"
}

extension RecordBuffer {
    /// Marks the record as not read completely. `rest` is what could not be read.
    public mutating func mark(_ fault: ParseFault, unparsed rest: some Collection<UInt8>) {
        if value(of: ParseFault.faultName) == nil {
            append(ParseFault.faultName, Array(fault.rawValue.utf8), .plain)
        }
        if !rest.isEmpty {
            append(ParseFault.unparsedName, Array(rest))
        }
    }
}
