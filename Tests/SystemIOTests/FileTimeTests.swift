// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct FileTimeTests {
    @Test(
        "a time that a user gives a file is read, however far away it is",
        arguments: [9_300_000_000, Int.max, Int.min]
    )
    func far(seconds: Int) throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/x"
        try LinuxFileSystem().replace("x", in: folder.path, with: [])
        let times = [timespec](repeating: timespec(tv_sec: seconds, tv_nsec: 0), count: 2)
        // The file system limits it.
        #expect(utimensat(AT_FDCWD, path, times, 0) == 0)
        let attributes = try #require(FileAttributes(at: path))
        #expect(attributes.modified > Int.min / 2 && attributes.modified < Int.max / 2)
        #expect(LinuxFileSystem().status(path) != nil)
        #expect(timespec(tv_sec: seconds, tv_nsec: 999_999_999).count(perSecond: 1_000_000_000).magnitude == 1 << 61)
    }

    @Test("usual times are exact")
    func usual() {
        #expect(timespec(tv_sec: 1, tv_nsec: 5000).count(perSecond: 1_000_000) == 1_000_005)
        #expect(timespec(tv_sec: -1, tv_nsec: 5).count(perSecond: 1_000_000_000) == -999_999_995)
    }

    @Test("a file that is larger than expected is refused by name")
    func largeContents() throws {
        let folder = TemporaryFolder()
        try LinuxFileSystem().replace("x", in: folder.path, with: Array("12345".utf8))
        #expect(try LinuxFileSystem().contents(of: folder.path + "/x", limit: 5) == Array("12345".utf8))
        let error = #expect(throws: SystemError.self) {
            try LinuxFileSystem().contents(of: folder.path + "/x", limit: 4)
        }
        #expect(error?.code == EUCLEAN && error?.description == "read \(folder.path)/x: it has 5 bytes; the limit is 4")
    }
}
