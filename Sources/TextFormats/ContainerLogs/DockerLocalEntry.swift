// SPDX-License-Identifier: Apache-2.0

import LogModel

/// An entry of docker's `local` driver (moby, daemon/logger/local; api/types/plugins/logdriver/entry.proto): its size in
/// bytes (32 bits, big-endian), a message in the wire format of Protocol Buffers, and the size again. A file has no
/// checksum.
public enum DockerLocalEntry {
    /// Number of bytes of the size at either end of an entry.
    private static let sizeLength = 4
    /// Maximum size of a message. docker divides lines at 16 KiB.
    private static let messageLimit = 1 << 20

    /// Parses `message`, without the sizes; nil when it is no such message.
    public static func parse(_ message: UnsafeRawBufferPointer) -> ContainerPart? {
        var reader = ProtobufReader(message)
        var part = ContainerPart(time: 0, isError: false, text: [], isPartial: false)
        var hasTime = false
        do throws(ProtobufError) {
            while let (field, value) = try reader.next() {
                switch field {
                case 1: part.isError = value.bytes.elementsEqual("stderr".utf8)
                case 2: (part.time, hasTime) = (Int64(bitPattern: value.number), true)
                case 3: part.text = Array(value.bytes)
                case 4: part.isPartial = value.number != 0
                case 5: part.isPartial = try !isLast(value.bytes)
                default: break
                }
            }
        } catch {
            return nil
        }
        guard hasTime else {
            return nil
        }
        if part.text.last == Lines.feed {
            part.text.removeLast()
        }
        return part
    }

    /// Whether the part with this description (`PartialLogEntryMetadata`) is the last one of its line.
    private static func isLast(_ description: UnsafeRawBufferPointer) throws(ProtobufError) -> Bool {
        var reader = ProtobufReader(description)
        var isLast = false
        while let (field, value) = try reader.next() {
            isLast = field == 1 ? value.number != 0 : isLast
        }
        return isLast
    }

    // MARK: - Cutting

    /// The entry that begins at `start` of a log: the range of its message; nil when none does, or it is not complete.
    public static func message(in log: UnsafeRawBufferPointer, at start: Int) -> Range<Int>? {
        guard let size = size(in: log, at: start) else {
            return nil
        }
        let message = start + sizeLength..<start + sizeLength + size
        return self.size(in: log, at: message.upperBound) == size ? message : nil
    }

    /// Where the entry with that message ends.
    public static func end(ofMessage message: Range<Int>) -> Int { message.upperBound + sizeLength }

    /// Whether an entry may begin at `start` whose end has not been received.
    public static func isIncomplete(in log: UnsafeRawBufferPointer, at start: Int) -> Bool {
        guard log.count - start >= sizeLength else {
            return true
        }
        return size(in: log, at: start).map { start + 2 * sizeLength + $0 > log.count } ?? false
    }

    /// The next offset after `start` at which a complete entry begins.
    public static func nextStart(in log: UnsafeRawBufferPointer, after start: Int) -> Int? {
        var offset = start + 1
        while offset + 2 * sizeLength < log.count {
            if let found = message(in: log, at: offset), parse(UnsafeRawBufferPointer(rebasing: log[found])) != nil {
                return offset
            }
            offset += 1
        }
        return nil
    }

    /// The size at `offset`; nil when it is that of no message.
    private static func size(in log: UnsafeRawBufferPointer, at offset: Int) -> Int? {
        guard offset >= 0, log.count - offset >= sizeLength else {
            return nil
        }
        let size = Int(log[offset..<offset + sizeLength].bigEndian)
        return (1...messageLimit).contains(size) ? size : nil
    }
}
