// SPDX-License-Identifier: Apache-2.0

import SystemIO

extension StreamReader {
    /// The last bytes before position `end`, at most `maximum`, as far as no byte is missing before it.
    public func text(before end: UInt64, maximum: Int) throws(SystemError) -> [UInt8] {
        var cursor = Cursor(offset: end - min(end, UInt64(maximum)))
        var text: [UInt8] = []
        var position = cursor.offset
        while position < end, let batch = try batch(at: cursor) {
            if batch.start != position {
                text.removeAll()
            }
            text += batch.block.text[Int(batch.start - batch.block.offset)...]
            (position, cursor) = (batch.block.end, batch.next)
        }
        text.removeLast(Int(position - min(position, end)))
        return position < end ? [] : text
    }
}
