// SPDX-License-Identifier: Apache-2.0

import Testing
import TextFormats

@Suite struct MessagePackScannerTests {
    private static let samples: [[UInt8]] = [
        [0], [0xc0], Pack.text(String(repeating: "x", count: 300)),
        Pack.array([1], Pack.map(("a", [2])), Pack.text("z")),
        Pack.time(1), [0xcb, 0, 0, 0, 0, 0, 0, 0, 0], Pack.array(),
        Pack.binary([UInt8](repeating: 0xc1, count: 70_000)),
        [0xdc, 0, 2, 1, 2], [0xdf, 0, 0, 0, 1, 1, 2], [0xc8, 0, 3, 9, 1, 2, 3],
        [0xd8] + [UInt8](repeating: 1, count: 17),
    ]

    @Test("the end of a value is where the reader finds it, in pieces of any size")
    func ends() throws {
        for sample in Self.samples {
            let bytes = sample + [0xc0, 0xc0]
            for step in [1, 2, 7, 100_000] where sample.count < 1000 || step > 7 {
                var scanner = MessagePackScanner()
                var end: Int?
                var count = 0
                while end == nil, count < bytes.count {
                    count = min(bytes.count, count + step)
                    end = try scanner.size(in: bytes[..<count], limit: 1 << 20)
                }
                var reader = MessagePackReader(bytes[...])
                _ = try reader.next()
                #expect(end == reader.at)
            }
        }
    }

    @Test(
        "a length beyond the limit is malformed before its bytes come",
        arguments: [0xc6, 0xdb, 0xdd, 0xdf, 0xc9] as [UInt8]
    )
    func limits(form: UInt8) {
        var scanner = MessagePackScanner()
        #expect(throws: MessagePackScanner.Malformed.self) {
            try scanner.size(in: [form, 0xff, 0xff, 0xff, 0xff, 0], limit: 1 << 20)
        }
    }
}
