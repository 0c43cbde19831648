// SPDX-License-Identifier: Apache-2.0

import Gzip
import LogModel
import TextFormats

/// A message of the Fluentd Forward protocol, version 1 (github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1),
/// in any of its modes.
struct ForwardMessage {
    /// Why a message cannot be used.
    struct Fault: Error, Hashable, CustomStringConvertible {
        let description: String
    }

    /// A part of a message that cannot be read, however often it is sent.
    struct Damage: Error, Hashable {
        let bytes: Int
        let reason: String
    }

    let tag: [UInt8]
    /// The id that is to be acknowledged; nil: no acknowledgement is wanted. Any bytes.
    let chunk: [UInt8]?
    private let entries: Entries

    private enum Entries {
        case list([MessagePackValue])
        /// Entries one after the other.
        case packed(ArraySlice<UInt8>)
        case damaged(Damage)
    }

    /// Reads a value; nil for a heartbeat, which has no records.
    init?(_ value: MessagePackValue) throws(Fault) {
        if value == .null {
            return nil
        }
        guard case .array(let parts) = value, parts.count >= 2, case .bytes(let tag) = parts[0] else {
            throw Fault(description: "a message is not an array that begins with a tag")
        }
        self.tag = Array(tag)
        let option: MessagePackValue?
        switch parts[1] {
        case .array(let list):
            entries = .list(list)
            option = parts.count > 2 ? parts[2] : nil
        case .bytes(let bytes):
            option = parts.count > 2 ? parts[2] : nil
            entries = try Self.unpacked(bytes, option?["compressed"]?.text)
        default:
            guard parts.count >= 3 else {
                throw Fault(description: "a message has a time and no record")
            }
            entries = .list([.array([parts[1], parts[2]])])
            option = parts.count > 3 ? parts[3] : nil
        }
        if case .bytes(let chunk)? = option?["chunk"] {
            guard chunk.count <= ForwardLimits.chunkID else {
                throw Fault(description: "the id of a chunk has \(chunk.count) bytes")
            }
            self.chunk = Array(chunk)
        } else {
            chunk = nil
        }
    }

    private static func unpacked(_ bytes: ArraySlice<UInt8>, _ compression: String?) throws(Fault) -> Entries {
        switch compression {
        case nil, "text": return .packed(bytes)
        case "gzip":
            do throws(Gzip.Failure) {
                return .packed(try Gzip.decompress(Array(bytes), limit: ForwardLimits.decompressed)[...])
            } catch {
                return .damaged(Damage(bytes: bytes.count, reason: "it cannot be decompressed: \(error)"))
            }
        case let other?:
            throw Fault(description: "compression \(other.prefix(20)) is not supported; set it to gzip at the sender")
        }
    }

    /// Passes each entry to `body`: the time in nanoseconds since the Unix epoch, and the record. What is no entry is left
    /// out, as Fluentd leaves it out; returns how many. Throws what `body` throws, and `Damage` after the entries before it.
    func forEach(_ body: (Int64?, MessagePackValue) throws -> Void) throws -> Int {
        var skipped = 0
        func take(_ entry: MessagePackValue) throws {
            guard case .array(let parts) = entry, parts.count == 2, case .map = parts[1] else {
                skipped += 1
                return
            }
            try body(Self.time(parts[0]), parts[1])
        }
        switch entries {
        case .list(let list):
            for entry in list {
                try take(entry)
            }
        case .packed(let bytes):
            var reader = MessagePackReader(bytes)
            while !reader.isAtEnd {
                let start = reader.at
                let entry: MessagePackValue
                do throws(MessagePackReader.Failure) {
                    entry = try reader.next()
                } catch {
                    let reason = "it is truncated or contains bytes that are not an entry"
                    throw Damage(bytes: bytes.endIndex - start, reason: reason)
                }
                try take(entry)
            }
        case .damaged(let damage): throw damage
        }
        return skipped
    }

    /// An EventTime (extension type 0: seconds and nanoseconds), seconds, or Fluent Bit's `[time, metadata]`.
    private static func time(_ value: MessagePackValue) -> Int64? {
        switch value {
        case .extended(type: 0, let bytes) where bytes.count == 8:
            let number = bytes.bigEndian
            return Int64(number >> 32) * 1_000_000_000 + Int64(min(number & 0xffff_ffff, 999_999_999))
        case .integer(let seconds) where (0..<1 << 33).contains(seconds):
            return seconds * 1_000_000_000
        case .float(let seconds) where seconds >= 0 && seconds < 8e9:
            return Int64(seconds * 1e9)
        case .array(let parts):
            return parts.first.flatMap { if case .array = $0 { nil } else { time($0) } }
        default:
            return nil
        }
    }

    /// The acknowledgement of a chunk: its id as it came.
    static func acknowledgement(of chunk: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        MessagePackWriter.append(mapOf: 1, to: &out)
        MessagePackWriter.append(string: "ack", to: &out)
        MessagePackWriter.append(string: chunk, to: &out)
        return out
    }
}
