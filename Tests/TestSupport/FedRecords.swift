// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// The records that `RecordFeeder` feeds.
public enum FedRecords {
    public static let streams = 8

    public static func name(of stream: Int) -> StreamName { StreamName("records\(stream)")! }

    /// The field `SEQ` of record `number` of a stream: unique in all streams.
    public static func sequence(_ stream: Int, _ number: Int) -> Int { stream + number * streams }

    /// Record `number` of a stream, without its line feed. Every 5,000th is longer than two blocks.
    public static func line(_ stream: Int, _ number: Int) -> [UInt8] {
        let padding = number % 5000 == 4999 ? 700_000 : number % 40
        let message = String(repeating: "m", count: padding)
        return Array(#"{"MESSAGE":"\#(message)","SEQ":"\#(sequence(stream, number))"}"#.utf8)
    }

    /// The source's position after record `number`.
    public static func position(after number: Int) -> [UInt8] { Array(String(number + 1).utf8) }

    /// The record that follows `position`.
    public static func number(_ position: [UInt8]) -> Int? { Int(String(decoding: position, as: UTF8.self)) }
}

/// Numbers in a file, which survive the process.
public final class AcknowledgedCounts: @unchecked Sendable {
    // Each number is written by one thread, and read after the writing process has ended.
    private let numbers: UnsafeMutablePointer<Int>
    private static let size = FedRecords.streams * MemoryLayout<Int>.stride

    /// The numbers in the file at `path`, which is created with zeros.
    public init(_ path: String) throws {
        let file = Descriptor(
            owning: try systemCall("open", path) { Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600) }
        )
        try systemCall("truncate", path) { ftruncate(file.raw, off_t(Self.size)) }
        let address = mmap(nil, Self.size, PROT_READ | PROT_WRITE, MAP_SHARED, file.raw, 0)
        guard let address, address != MAP_FAILED else {
            throw SystemError("map", path)
        }
        numbers = address.bindMemory(to: Int.self, capacity: FedRecords.streams)
    }

    deinit {
        munmap(numbers, Self.size)
    }

    public subscript(stream: Int) -> Int {
        get { numbers[stream] }
        set { numbers[stream] = newValue }
    }
}
