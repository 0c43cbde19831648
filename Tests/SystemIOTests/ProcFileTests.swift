// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct ProcFileTests {
    private let folder = TemporaryFolder()

    @Test(
        "the strings of a file, each one ended by a NUL; the last NUL may be missing",
        arguments: [
            ("", []), ("\0", [""]), ("a\0", ["a"]), ("a\0b", ["a", "b"]), ("a\0\0b\0", ["a", "", "b"]),
            ("a\0\0", ["a", ""]),
        ]
    )
    func strings(text: String, strings: [String]) throws {
        let path = folder.path + "/list"
        try StoredFile(path, .create, on: LinuxFileSystem()).write(at: 0, Array(text.utf8))
        #expect(ProcFile.strings(path) == strings)
    }
}
