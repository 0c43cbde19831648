// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// A console's plain file that other programs remove.
@Suite(.blocking) struct TidiedPlainFileTests {
    @Test("a removed plain file is there again at once when that is asked for, and continues")
    func reopened() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let path = fixture.folder.path + "/plain.log"
        let definition = try ConsoleHub.Definition(
            key: StreamKey(name: "web"),
            endpoint: .connect(path: chardev.path),
            plainFile: StreamOptions.PlainFile(path: path)
        )
        fixture.hub.add(definition)
        let guest = try chardev.accept()
        send("before\n", to: guest)
        #expect(eventually { size(path) == 7 })
        unlink(path)
        fixture.capture.reopenPlainFiles()
        #expect(eventually { size(path) == 0 })
        send("after that\n", to: guest)
        #expect(eventually { size(path) == 11 })
    }

    private func size(_ path: String) -> Int? {
        FileAttributes(at: path).map { Int($0.size) }
    }
}
