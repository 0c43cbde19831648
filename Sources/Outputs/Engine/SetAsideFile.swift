// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The records that a destination refused, with the reason: a JSON object per line, in the store's folder `outputs`.
///
/// The file is limited: when it is full it becomes the one with `.1` at its end, in place of an older one.
struct SetAsideFile {
    let folder: String
    let name: StreamName
    let fileSystem: any FileSystem

    /// Maximum size of each of the two files, in bytes.
    static let limit = 8 << 20
    /// Maximum size of a record in it; more is cut.
    private static let longestRecord = 64 << 10

    var path: String { folder + "/\(name).set-aside" }

    /// Whether records were set aside, by this or an earlier process.
    var isThere: Bool { fileSystem.status(path) != nil }

    /// The number of records that lie in both files.
    var count: UInt64 {
        [path, path + ".1"].reduce(0) { count, path in
            let contents = (try? fileSystem.contents(of: path, limit: 2 * Self.limit)) ?? []
            return count + UInt64(contents.count { $0 == Lines.feed })
        }
    }

    /// Appends `lines`, as `line(…)` makes them.
    func append(_ lines: [UInt8]) throws(SystemError) {
        if let size = fileSystem.status(path)?.size, size + lines.count > Self.limit {
            try fileSystem.rename(path, to: path + ".1")
        }
        let file = try StoredFile(path, .create, on: fileSystem)
        try file.write(at: try file.size, lines)
    }

    /// The line for one record, set aside at `time`. The record is as it was to be sent: text where it is UTF-8.
    static func line(id: String, reason: String, time: Timestamp, record: [UInt8]) -> [UInt8] {
        let kept = Array(record.prefix(longestRecord))
        var members: [(String, JSON)] = [
            ("time", .string(time.description)), ("id", .string(id)), ("reason", .string(reason)),
        ]
        if let text = String(validating: kept, as: UTF8.self) {
            members.append(("record", .string(text)))
        } else {
            var encoded: [UInt8] = []
            kept.withUnsafeBytes { Base64.append($0, to: &encoded) }
            members.append(("record_b64", .string(String(decoding: encoded, as: UTF8.self))))
        }
        return JSON.object(members).bytes + [Lines.feed]
    }
}
