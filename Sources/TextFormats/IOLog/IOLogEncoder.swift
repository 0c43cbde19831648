// SPDX-License-Identifier: Apache-2.0

/// Writes a program's output as entries: each line with its line feed one entry, a longer one several.
///
/// An unfinished line waits for its end, per stream, until it fills an entry or the encoder is finished.
public struct IOLogEncoder: Sendable {
    private var open: [[UInt8]] = [[], []]

    public init() {}

    /// Adds output received at `time`, in nanoseconds since the Unix epoch; returns the bytes of the complete entries.
    public mutating func add(_ bytes: some Collection<UInt8>, isError: Bool, time: Int64) -> [UInt8] {
        let index = isError ? 1 : 0
        var out: [UInt8] = []
        for byte in bytes {
            open[index].append(byte)
            if byte == UInt8(ascii: "\n") || open[index].count == IOLogHeader.sizeLimit {
                flush(index, time, to: &out)
            }
        }
        return out
    }

    /// Returns the entries of the unfinished lines, at the output's end.
    public mutating func finish(time: Int64) -> [UInt8] {
        var out: [UInt8] = []
        flush(0, time, to: &out)
        flush(1, time, to: &out)
        return out
    }

    private mutating func flush(_ index: Int, _ time: Int64, to out: inout [UInt8]) {
        guard !open[index].isEmpty else {
            return
        }
        out += IOLogHeader(time: time, size: open[index].count, isError: index == 1).encoded + open[index]
        open[index].removeAll(keepingCapacity: true)
    }
}
