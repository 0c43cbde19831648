// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Query

/// The end of a guest's console output, as `os-getConsoleOutput` returns it.
struct NovaConsoleOutput: Sendable {
    let store: Store
    let vm: Store.VM
    let rules: NovaOutputRules
    let now: Timestamp
    /// Applies to `corrected` output.
    let charsets: CharsetRules

    /// Maximum number of bytes under each set of rules.
    private static let correctedLimit = 1 << 20
    private static let novaLimit = 100 << 10
    /// Lines read first; more, when they are shorter than usual.
    private static let defaultLines = 4096

    /// The last `length` lines; nil: all.
    func text(length: Int?) throws -> String {
        switch rules {
        case .corrected: try correctedText(length: length)
        case .nova: try novaText(length: length)
        }
    }

    private func correctedText(length: Int?) throws -> String {
        let wanted = length.flatMap { $0 < 0 ? nil : $0 }
        guard wanted != 0 else {
            return ""
        }
        let bytes = try last(Self.correctedLimit, lines: wanted, .text)
        guard bytes.count > Self.correctedLimit else {
            return String(decoding: bytes, as: UTF8.self)
        }
        // The output begins with a whole line after it was cut.
        let end = bytes.suffix(Self.correctedLimit)
        return String(decoding: end.drop { $0 != Lines.feed }.dropFirst(), as: UTF8.self)
    }

    private func novaText(length: Int?) throws -> String {
        let bytes = try last(Self.novaLimit, lines: nil, .raw).suffix(Self.novaLimit)
        var pieces = bytes.split(separator: Lines.feed, omittingEmptySubsequences: false)
        switch length {
        case nil: break
        case 0?: return ""
        case let length? where length > 0: pieces = pieces.suffix(length)
        // A slice from index -length on, as in Python.
        case let length?: pieces = Array(pieces.dropFirst(-length))
        }
        var text = ""
        for byte in pieces.joined(separator: [Lines.feed]) {
            switch byte {
            case 0x80...: text.append("\u{fffd}")
            case 0x00...0x08, 0x0b...0x1f: break
            default: text.unicodeScalars.append(Unicode.Scalar(byte))
            }
        }
        return text
    }

    /// More than the last `count` bytes, or everything; of the last `lines` lines, when that is given.
    private func last(_ count: Int, lines: Int?, _ format: OutputFormat) throws -> [UInt8] {
        let most = min(lines ?? .max, Selection.largestTail)
        var tail = min(most, Self.defaultLines)
        var bytes = try read(tail, count, format)
        while bytes.count <= count, tail < most {
            tail = min(most, tail * 8)
            let more = try read(tail, count, format)
            guard more.count > bytes.count else {
                break
            }
            bytes = more
        }
        return bytes
    }

    private func read(_ tail: Int, _ count: Int, _ format: OutputFormat) throws -> [UInt8] {
        var selection = Selection()
        // The first console: others do not show the boot.
        selection.streams = [.console0]
        selection.charsets = charsets
        selection.tail = tail
        guard try store.streams(of: vm.directory).contains(where: { $0.stream == .console0 }) else {
            return []
        }
        var rendering = Rendering(format: format)
        rendering.markers = false
        rendering.utc = true
        let query = try LogQuery(store: store, vms: [vm], selection: selection, rendering: rendering, now: now)
        // Lines may be long: no more of them is held than is requested.
        var bytes: [UInt8] = []
        while let more = try query.next() {
            bytes += more
            if bytes.count > 2 * count {
                bytes.removeFirst(bytes.count - count - 1)
            }
        }
        return bytes
    }
}
