// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

@testable import RuntimeSources

extension FuzzTarget {
    /// A session with a sender, with and without a shared key: the same messages, wherever the bytes are divided.
    static func forward(_ bytes: [UInt8]) throws {
        let whole = try records(bytes, dividedAt: bytes.count, key: nil)
        let divided = try records(bytes, dividedAt: Int(bytes.first ?? 0) % (bytes.count + 1), key: nil)
        try require(whole == divided, "the records depend on where the bytes are divided")
        let refused = try records(bytes, dividedAt: bytes.count, key: [1, 2, 3])
        try require(refused.isEmpty, "a sender without the key was admitted")
    }

    private static func records(_ bytes: [UInt8], dividedAt offset: Int, key: [UInt8]?) throws -> [[UInt8]] {
        var session = ForwardSession(sharedKey: key, hostName: "receiver", nonce: "nonce")
        var lines: [[UInt8]] = []
        var record = RecordBuffer()
        for part in [bytes[..<offset], bytes[offset...]] {
            let actions = Array(part).withUnsafeBytes { session.receive($0) }
            for case .take(let message) in actions {
                _ = try? message.forEach { time, value in
                    ForwardFields.read(value, time: time, tag: message.tag, into: &record)
                    var line: [UInt8] = []
                    record.appendJSON(to: &line)
                    try require(line.withUnsafeBytes { JSONScanner.isObject($0) }, "a record is no object")
                    lines.append(line)
                }
            }
        }
        return lines
    }
}
