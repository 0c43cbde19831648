// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import RotatingFile

@Suite(.blocking) struct FolderNamesTests {
    private let folder = TemporaryFolder()
    private let names = FolderNames()

    private func create(_ name: String, _ text: String = "") {
        let file = open(folder.path + "/" + name, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        let bytes = Array(text.utf8)
        #expect(write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    /// Has the folder's latest change be an hour ago.
    private func settle() {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        let times = [timespec(tv_sec: now.tv_sec - 3600, tv_nsec: 0), timespec(tv_sec: now.tv_sec - 3600, tv_nsec: 0)]
        #expect(utimensat(AT_FDCWD, folder.path, times, 0) == 0)
    }

    private func scan(_ name: String) throws -> [String] {
        try LogFolderScan(of: folder.path + "/" + name, trustedFolder: nil, names: names).files.map(\.name)
    }

    @Test("a large folder is read once for all logs in it, and again after a change")
    func large() throws {
        for number in 0..<FolderNames.minimum {
            create("vm\(number).log")
        }
        for name in ["vm7.log.0", "vm7.log-20260101.gz", "vm77.log.1"] {
            create(name)
        }
        settle()
        #expect(try scan("vm7.log") == ["vm7.log-20260101.gz", "vm7.log.0", "vm7.log"])
        for number in 0..<FolderNames.minimum {
            #expect(try scan("vm\(number).log").last == "vm\(number).log")
        }
        #expect(try scan("none.log") == [])
        #expect(names.reads == 1)
        create("none.log")
        #expect(try scan("none.log") == ["none.log"])
        let reads = names.reads
        #expect(reads >= 2)
        // It has changed a moment ago: what is known may be old already.
        create("other.log")
        #expect(try scan("other.log") == ["other.log"] && names.reads > reads)
    }

    @Test("a small folder is read every time")
    func small() throws {
        create("a.log")
        settle()
        #expect(try scan("a.log") == ["a.log"])
        create("a.log.0")
        settle()
        #expect(try scan("a.log") == ["a.log.0", "a.log"])
    }

    @Test("followers with the same names read the same bytes as those without")
    func followers() throws {
        for number in 0..<FolderNames.minimum {
            create("vm\(number).log", "old \(number)\n")
            rename(folder.path + "/vm\(number).log", folder.path + "/vm\(number).log.0")
            create("vm\(number).log", "new \(number)\n")
        }
        settle()
        let buffer = FollowBuffer()
        for number in 0..<FolderNames.minimum {
            let follower = RotatingFileFollower(folder.path + "/vm\(number).log", names: names)
            var text: [UInt8] = []
            while case .bytes(let bytes) = follower.next(buffer) {
                text += bytes
            }
            #expect(String(decoding: text, as: UTF8.self) == "old \(number)\nnew \(number)\n")
        }
        #expect(names.reads == 1)
    }
}
