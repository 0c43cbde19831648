// SPDX-License-Identifier: Apache-2.0

extension String {
    /// The text, or its beginning of at most `count` bytes of UTF-8; no character is cut.
    public func prefix(utf8 count: Int) -> String {
        guard utf8.count > count else {
            return self
        }
        var end = utf8.index(startIndex, offsetBy: count)
        while end.samePosition(in: self) == nil {
            end = utf8.index(before: end)
        }
        return String(self[..<end])
    }
}
