// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Outputs

@Suite(.limited) struct FileTests {
    @Test("in a file in the format cri, a part that is not continued is ended, also one of an ended process")
    func parts() async throws {
        let fixture = OutputFixture()
        let path = fixture.path + "/out"
        let settings = OutputSettings.all(.file(FileSettings(.path(path), format: .cri)))
        func lines() -> [String] {
            let bytes = (try? LinuxFileSystem().contents(of: path)).flatMap { $0 } ?? []
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
                String(line.drop { $0 != " " }.dropFirst().prefix(60))
            }
        }
        let long = String(repeating: "x", count: 70_000)
        try fixture.append(long + "\nhalf")
        let since = Timestamp(microseconds: 0)
        let gap = GapDetail(reason: .rateLimit, bytes: 7, lines: 0, since: since, isClosed: true)
        try fixture.mark(RecordDetail(gap: gap))
        try fixture.append("next\nlogin: ")
        let service = try fixture.start(settings)
        let x = "x"
        let begun = [
            "stdout P " + String(repeating: x, count: 51), "stdout F " + String(repeating: x, count: 4464).prefix(51),
            "stdout P half", "stdout F ", "stderr F 7 bytes lost: over the rate limit", "stdout F next",
            "stdout P login: ",
        ]
        #expect(await awaits { lines() == begun })
        // Before that, a stop has the lines written again.
        #expect(await awaits { await service.statuses()[0].behind == 0 })
        try await fixture.stop(service)
        try fixture.append("root\n", vm: "other")
        try fixture.start(settings)
        #expect(await awaits { lines() == begun + ["stdout F ", "stdout F root"] })
    }

    @Test("what is no regular file is refused with its kind and the remedy", arguments: ["link", "fifo", "device"])
    func special(kind: String) async throws {
        let fixture = OutputFixture()
        let path = kind == "device" ? "/dev/null" : fixture.path + "/out"
        switch kind {
        case "link": #expect(symlink("/dev/stdout", path) == 0)
        case "fifo": #expect(mkfifo(path, 0o600) == 0)
        default: break
        }
        try fixture.append("line\n")
        for format in [FileFormat.ndjson, .cri] {
            let service = try fixture.start(OutputSettings.all(.file(FileSettings(.path(path), format: format))))
            #expect(await awaits { await service.statuses()[0].problem != nil })
            let problem = try #require(await service.statuses()[0].problem)
            let word = ["link": "a symbolic link", "fifo": "a FIFO", "device": "a character device"][kind]!
            #expect(problem.contains("open \(path): it is \(word)") && problem.contains("type stdout"))
            try await fixture.stop(service)
        }
    }
}
