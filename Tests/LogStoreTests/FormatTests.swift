// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// docs/format.md is sufficient for reading the store: a reader in another language, based on it alone, agrees with
/// this program's.
@Suite(.blocking) struct FormatTests {
    let folder = TemporaryFolder()

    @Test("a new VM with its first stream waits for the disk twice, to have the writer's state there")
    func syncs() throws {
        let files = SimulatedFileSystem(seed: 1)
        let fixture = try StoreFixture(root: "/store", fileSystem: files)
        try fixture.append("one\n")
        #expect(files.syncs == 2)
    }

    private static let reader = #"""
        import glob, struct, subprocess, sys
        table = []
        for n in range(256):
            for _ in range(8): n = (n >> 1) ^ (0x82f63b78 if n & 1 else 0)
            table.append(n)
        def crc32c(data):
            c = 0xffffffff
            for b in data: c = table[(c ^ b) & 255] ^ (c >> 8)
            return c ^ 0xffffffff
        def unzstd(data): return subprocess.run(["zstd", "-dcq"], input=data, stdout=subprocess.PIPE, check=True).stdout
        def varint():
            global at
            value = shift = 0
            while True:
                byte = columns[at]; at += 1
                value |= (byte & 127) << shift; shift += 7
                if byte < 128: return value
        out = []
        end = 0
        for path in sorted(glob.glob(sys.argv[1] + "/*.log.zst")):
            data = open(path, "rb").read(); p = 0
            while data[p:p+4] == b"\x5c\x2a\x4d\x18" and data[p+8:p+12] == b"GLB1":
                payload, = struct.unpack_from("<I", data, p + 4)
                body = data[p+16:p+8+payload]
                assert struct.unpack_from("<I", data, p + 12)[0] == crc32c(body)
                f = struct.unpack_from("<QqqqqIIIIIHHII", body)
                text = unzstd(data[p+8+payload:p+8+payload+f[6]])
                assert len(text) == f[5] and crc32c(text) == f[8] and text.count(b"\n") == f[7]
                columns = unzstd(body[72:]) if f[11] else body[72:]
                assert len(columns) == f[12]
                at = 0; time = 0; times = []
                for _ in range(f[9]):
                    z = varint(); time += (z >> 1) ^ -(z & 1); times.append(time)
                lengths = [varint() for _ in range(f[9])]
                flags = [varint() for _ in range(f[9])]
                lines = [varint() for _ in range(f[9])]
                for _ in [x for x in flags if x & 4096]: size = varint(); at += size
                assert at == len(columns) and min(times) == f[1] and max(times) == f[2]
                assert sum(lengths) == f[5] and sum(lines) == f[7]
                offset = f[0]
                for n in range(f[9]):
                    out.append((offset, times[n], lengths[n], flags[n] & 4095, lines[n])); offset += lengths[n]
                end = offset; p = p + 8 + payload + f[6]
        for path in sorted(glob.glob(sys.argv[1] + "/*.log")):
            text = open(path, "rb").read(); index = open(path[:-3] + "idx", "rb").read()
            base = offset = int(path.split("/")[-1][:20]); p = 0
            if base < end: continue
            while p + 32 <= len(index):
                o, time, length, flags, lines, crc, own = struct.unpack_from("<QqIHHII", index, p)
                size = 32 * (1 + (flags >> 12))
                assert o == offset and own == crc32c(index[p:p+28] + index[p+32:p+size])
                assert crc == crc32c(text[o-base:o-base+length])
                out.append((o, time, length, flags & 4095, lines)); offset += length; p += size
        for record in out: print(*record)
        """#

    @Test("docs/format.md names every reason of a gap and every event of a boot")
    func numbers() throws {
        let root = #filePath.prefix(#filePath.utf8.count - "Tests/LogStoreTests/FormatTests.swift".utf8.count)
        let document = try LinuxFileSystem().contents(of: root + "docs/format.md")
        let text = String(decoding: try #require(document), as: UTF8.self)
        let match = try #require(text.firstMatch(of: #/Gap reasons: ([^.]*)\.[^:]*Boot events: ([^.]*)\./#))
        func numbers(_ list: Substring) -> Set<UInt8> {
            // Between parentheses there may be others.
            let rest = list.replacing(#/\([^)]*\)/#, with: "")
            return Set(rest.matches(of: #/(?:^|[,;]\s)(\d+) /#).compactMap { UInt8($0.output.1) })
        }
        #expect(numbers(match.output.1) == Set(GapReason.allCases.map(\.rawValue)))
        #expect(numbers(match.output.2) == Set(BootEvent.allCases.map(\.rawValue)))
    }

    @Test("a reader written in Python from docs/format.md finds the same records and text")
    func pythonAgrees() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.mark(.powerOn)
        for part in 0..<12 {
            try fixture.append(consoleText(30_000, from: part * 400))
            try fixture.markGap(UInt64(part))
        }
        fixture.writer.roll()
        try fixture.mark(.closed)
        try fixture.append("almost\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        try fixture.mark(.powerOn)
        try fixture.append(Array("the end\n".utf8), detail: RecordDetail(source: [1, 2, 3]))
        let script = folder.path + "/reader.py"
        let file = try StoredFile(script, .create, on: LinuxFileSystem())
        try file.write(at: 0, Array(Self.reader.utf8))
        let pipe = try #require(popen("python3 \(script) \(fixture.writer.path)", "r"))
        defer { pclose(pipe) }
        var out: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, pipe), count > 0 {
            out += buffer[..<count]
        }
        let ours = try fixture.read().records.map { record in
            "\(record.offset) \(record.time.microseconds) \(record.length) \(record.flags.rawValue) \(record.lines)\n"
        }
        #expect(String(decoding: out, as: UTF8.self) == ours.joined())
        #expect(ours.count > 20)
    }
}
