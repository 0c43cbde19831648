// SPDX-License-Identifier: Apache-2.0

/// The stored bytes, unchanged.
struct RawFormat: EntryWriter {
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        out.append(contentsOf: line.bytes)
    }
}
