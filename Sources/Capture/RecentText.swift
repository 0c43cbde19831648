// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The last text of a console, which tells whether a command or a pager printed what follows.
struct RecentText {
    private var bytes: [UInt8] = []
    /// Whether a command prints the text since the last pause; nil while the first line of that text is not complete.
    private var isOfCommand: Bool? = false
    /// The bytes since the last pause, without the text that is examined.
    private var sincePause = 0

    private static let length = 256

    /// Whether a command prints the text since the last pause.
    var isOutput: Bool { isOfCommand ?? false }

    /// Takes note of `text` before it is examined; `isResumed` tells whether it follows a pause.
    mutating func begin(_ text: UnsafeRawBufferPointer, isResumed: Bool) {
        if isResumed {
            (isOfCommand, sincePause) = (nil, 0)
        }
        if isOfCommand == nil, let feed = Lines.firstFeed(in: text, from: 0) {
            let line = bytes.suffix { $0 != Lines.feed } + text[..<feed].prefix(Self.length)
            isOfCommand = ShellPrompt.isCertainCommand(line.prefix(Self.length))
        }
    }

    /// Adds `text`, which was examined.
    mutating func append(_ text: UnsafeRawBufferPointer) {
        sincePause += text.count
        if text.count >= Self.length {
            bytes.removeAll(keepingCapacity: true)
        } else {
            bytes.removeFirst(max(0, bytes.count + text.count - Self.length))
        }
        bytes.append(contentsOf: text.suffix(Self.length))
    }

    /// Whether the line before the row at `offset` of `text` is a command at a shell's prompt. Negative offsets are in
    /// earlier text.
    mutating func isAtShell(_ offset: Int, of text: UnsafeRawBufferPointer) -> Bool {
        let before = before(offset, of: text)
        let row = before.suffix { $0 != Lines.feed }
        let line = row.withUnsafeBytes { BootLine($0).hasText } ? row : before.dropLast(row.count)
        let words = line.reversed().drop { $0 == Lines.feed || $0 == UInt8(ascii: "\r") }.prefix { $0 != Lines.feed }
        if row.count < offset + sincePause, ShellPrompt.isCertainCommand(words.reversed()) {
            // The command's line ended after the pause.
            isOfCommand = true
        }
        return ShellPrompt.isCommand(words.reversed())
    }

    /// Whether a pager has painted the row at `offset` of `text`, of which `noise` are the bytes before the words.
    func isOfPager(_ offset: Int, of text: UnsafeRawBufferPointer, noise: Slice<UnsafeRawBufferPointer>) -> Bool {
        ShellPrompt.isPager(before(offset, of: text).suffix { $0 != Lines.feed } + noise)
    }

    /// The last bytes before the row at `offset` of `text`.
    private func before(_ offset: Int, of text: UnsafeRawBufferPointer) -> [UInt8] {
        let known = max(0, offset)
        let earlier = bytes.prefix(max(0, bytes.count - max(0, -offset)))
        return Array(earlier.suffix(max(0, Self.length - known)) + text.prefix(known).suffix(Self.length))
    }
}

extension Array where Element == UInt8 {
    /// The longest end of which all bytes fulfil the condition.
    fileprivate func suffix(while isPart: (UInt8) -> Bool) -> ArraySlice<UInt8> {
        suffix(from: lastIndex { !isPart($0) }.map { $0 + 1 } ?? 0)
    }
}
