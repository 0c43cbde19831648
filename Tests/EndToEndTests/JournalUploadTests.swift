// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

/// systemd's programs that send and receive journals.
enum JournalProgram {
    static let uploader = "/lib/systemd/systemd-journal-upload"
    static let remote = "/lib/systemd/systemd-journal-remote"

    static var areThere: Bool { access(uploader, X_OK) == 0 && access(remote, X_OK) == 0 }
}

extension EndToEnd {
    /// systemd's own uploader and the collector.
    @Suite(
        .enabled(
            if: JournalProgram.areThere,
            "needs systemd-journal-upload and systemd-journal-remote (Debian's package systemd-journal-remote)"
        )
    )
    struct JournalUploadTests {
        /// The number of entries; `GUESTLOG_UPLOADS` sets another.
        private static let count = Program.variable("GUESTLOG_UPLOADS").flatMap { Int($0) } ?? 5000

        /// Makes a journal with numbered entries in `folder`: some binary, one with a large field.
        private func makeJournal(in folder: String) {
            var text: [UInt8] = []
            for number in 0..<Self.count {
                text += Array("__REALTIME_TIMESTAMP=\(1_700_000_000_000_000 + number)\n".utf8)
                text += Array("__MONOTONIC_TIMESTAMP=\(number + 1)\n_BOOT_ID=0123456789abcdef0123456789abcdef\n".utf8)
                text += Array("PRIORITY=6\nNUMBER=\(number)\n".utf8)
                if number % 100 == 0 {
                    text += Array("MESSAGE\n".utf8) + [4, 0, 0, 0, 0, 0, 0, 0] + Array("a\nbc\n".utf8)
                } else {
                    text += Array("MESSAGE=m\(number)\n".utf8)
                }
                if number == 10 {
                    text += Array("BIG=\(String(repeating: "x", count: 700_000))\n".utf8)
                }
                text.append(Lines.feed)
            }
            FileText.write(String(decoding: text, as: UTF8.self), to: folder + "/journal.export")
            mkdir(folder + "/journal", 0o755)
            let command = [
                JournalProgram.remote, "--output=\(folder)/journal/system.journal", folder + "/journal.export",
            ]
            let made = ChildProcess(command, name: "remote", in: folder)
            #expect(made.wait() == 0, "\(made.standardError)")
        }

        @Test("entries uploaded under kills of both ends are stored once each")
        func kills() throws {
            let port = try ComputeHost.freeAddress(from: 21_000).port
            let site = try Site(
                extra: """
                    collector:
                      guests: [{ listen: '127.0.0.1:\(port)', name: web }]
                      rate: 64MiB
                      record-rate: 1000000
                    """
            )
            makeJournal(in: site.path)
            let seed = Program.variable("GUESTLOG_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
            var random = SeededGenerator(seed: seed)
            func uploader(_ number: Int) -> ChildProcess {
                let command = [
                    JournalProgram.uploader, "--url=http://127.0.0.1:\(port)", "--save-state=\(site.path)/state",
                    "--directory=\(site.path)/journal", "--follow=no",
                ]
                return ChildProcess(command, name: "upload-\(number)", in: site.path)
            }
            for kill in 1...8 {
                let uploader = uploader(kill)
                usleep(UInt32.random(in: 0..<400_000, using: &random))
                if kill % 2 == 0 {
                    site.stop(SIGKILL)
                    uploader.stop(SIGKILL)
                    try site.start()
                } else {
                    uploader.stop(SIGKILL)
                }
            }
            let last = uploader(0)
            #expect(last.wait(within: 120) == 0, "\(last.standardError)")
            let answer = site.guestlog("logs", "web", "--stream", "journal", "-o", "raw")
            let lines = answer.bytes.split(separator: Lines.feed)
            let numbers = try lines.compactMap { try JSON(parsing: $0)["NUMBER"]?.text.flatMap { Int($0) } }
            #expect(numbers == Array(0..<Self.count), "seed \(seed)")
            let big = try JSON(parsing: try #require(lines.dropFirst(10).first))["BIG"]?.text
            #expect(big?.utf8.count == 700_000)
            #expect(try JSON(parsing: try #require(lines.first))["MESSAGE"]?.text == "a\nbc")
        }
    }
}
