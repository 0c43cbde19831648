// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Cuts a log whose entries are not lines: of docker's `local` driver, or in VIC's framing. Holds what is not complete.
struct FramedRecords: Sendable {
    enum Item: Equatable {
        case part(ContainerPart)
        /// Bytes that belong to no entry.
        case damage([UInt8])
    }

    enum Framing {
        case dockerLocal, iolog
    }

    private let framing: Framing
    private var held: [UInt8] = []
    private var iolog = IOLogDecoder()

    /// Of damage more is not held back, in bytes.
    private static let damageLimit = 64 << 10

    init(_ framing: Framing) {
        self.framing = framing
    }

    /// Takes the next bytes, and passes what they complete to `emit`, with the number of bytes of the log that it is.
    mutating func add(_ bytes: UnsafeRawBufferPointer, _ emit: (Item, UInt64) -> Void) {
        switch framing {
        case .iolog: decodeEntries(adding: bytes, emit)
        case .dockerLocal:
            held.append(contentsOf: bytes)
            decodeMessages(isAtEnd: false, emit)
        }
    }

    /// Ends the log.
    mutating func finish(_ emit: (Item, UInt64) -> Void) {
        switch framing {
        case .iolog: decodeEntries(adding: nil, emit)
        case .dockerLocal: decodeMessages(isAtEnd: true, emit)
        }
    }

    // MARK: - VIC's framing

    private mutating func decodeEntries(adding bytes: UnsafeRawBufferPointer?, _ emit: (Item, UInt64) -> Void) {
        for item in bytes.map({ iolog.add($0) }) ?? iolog.finish() {
            switch item {
            case .entry(let header, var text, let isCut):
                let count = UInt64(IOLogHeader.length + text.count)
                // Only the last entry of a line has its line feed.
                let isPartial = text.last != 0x0a
                if !isPartial {
                    text.removeLast()
                }
                let part = ContainerPart(
                    time: header.time,
                    isError: header.isError,
                    text: text,
                    isPartial: isPartial && !isCut
                )
                emit(.part(part), count)
            case .damage(let bytes):
                emit(.damage(bytes), UInt64(bytes.count))
            }
        }
    }

    // MARK: - docker's local driver

    private mutating func decodeMessages(isAtEnd: Bool, _ emit: (Item, UInt64) -> Void) {
        var offset = 0
        held.withUnsafeBytes { log in
            while offset < log.count {
                if let message = DockerLocalEntry.message(in: log, at: offset),
                    let part = DockerLocalEntry.parse(UnsafeRawBufferPointer(rebasing: log[message]))
                {
                    let end = DockerLocalEntry.end(ofMessage: message)
                    emit(.part(part), UInt64(end - offset))
                    offset = end
                    continue
                }
                if !isAtEnd, DockerLocalEntry.isIncomplete(in: log, at: offset) {
                    return
                }
                let known = isAtEnd ? log.count : max(offset, log.count - Self.damageLimit)
                let end = DockerLocalEntry.nextStart(in: log, after: offset) ?? known
                guard end > offset else {
                    return
                }
                emit(.damage(Array(log[offset..<end])), UInt64(end - offset))
                offset = end
            }
        }
        held.removeFirst(offset)
    }
}
