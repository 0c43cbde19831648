// SPDX-License-Identifier: Apache-2.0

import LogStore

/// Bytes on disk for each byte of text, with all other files: index, metadata, file-system blocks.
enum DiskUse {
    static var rows: [Row] {
        [
            Row("disk-boot", runs: 1) { try measure(Corpus.boot(bytes: bytes)) },
            Row("disk-application", runs: 1, targets: ["records of 4 KiB": "≤ 0.27"]) {
                try measure(Corpus.application(bytes: bytes))
            },
        ]
    }

    private static let bytes = 100_000_000

    private static func measure(_ text: [UInt8]) throws -> [Measure] {
        [
            Measure("records of 4 KiB", "bytes/byte", try share(text, recordBytes: StoreMaker.recordBytes)),
            Measure("each line a record", "bytes/byte", try share(text, recordBytes: 1)),
        ]
    }

    private static func share(_ text: [UInt8], recordBytes: Int) throws -> Double {
        let folder = try Machine.freshFolder("disk")
        defer { Machine.remove(folder) }
        var maker = try StoreMaker(in: folder)
        try text.withUnsafeBytes { text in
            try StoreMaker.records(of: text, size: recordBytes) { try maker.append($0) }
        }
        try maker.finish()
        let onDisk = Machine.files(below: folder).reduce(0) { $0 + Machine.size(of: $1).onDisk }
        return Double(onDisk) / Double(text.count)
    }
}
