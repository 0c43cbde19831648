// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

extension RecordBuffer {
    /// The names of a record's time, in the order in which they are looked for: those of the loggers that write logfmt and
    /// JSON.
    static let timeNames: [[UInt8]] = ["time", "ts", "timestamp", "@timestamp"].map { Array($0.utf8) }

    /// The time that the field at `index` says; nil when that cannot be read.
    func writtenTime(at index: Int) -> Int64? {
        bytes.withUnsafeBytes {
            WrittenTimestamp.nanoseconds(.init(rebasing: $0[fields[index].value]), zone: .system)
        }
    }

    /// Sets the record's time to that of the first of the fields `names`, from `first` on, that says one; the field goes,
    /// unless it is kept. One whose time cannot be read stays, and the record is marked when no other has one.
    mutating func setTime(_ names: [[UInt8]] = RecordBuffer.timeNames, from first: Int = 0, keepsField: Bool = false) {
        guard time == nil else {
            return
        }
        var isUnreadable = false
        for name in names {
            let index = fields.indices.suffix(from: first).first {
                !fields[$0].isUntrusted && matches(fields[$0].name, name)
            }
            guard let index else {
                continue
            }
            time = writtenTime(at: index)
            guard time == nil else {
                if !keepsField {
                    fields.remove(at: index)
                }
                return
            }
            let value = self[fields[index].value]
            isUnreadable = isUnreadable || !value.isEmpty && !value.elementsEqual("null".utf8)
        }
        if isUnreadable {
            mark(.unreadableTime, unparsed: EmptyCollection())
        }
    }
}
