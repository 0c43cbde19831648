// SPDX-License-Identifier: Apache-2.0

import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite(.blocking, .enabled(if: SmallDisk.isPossible, "needs root, to mount a tmpfs")) struct ReserveTests {
    @Test("the space that an earlier process has allocated is taken over, however little is free")
    func takenOver() throws {
        let disk = SmallDisk(megabytes: 4)
        let files = LinuxFileSystem()
        #expect(Reserve(root: disk.folder.path, size: 1 << 20, fileSystem: files).acquire())
        disk.fill(leaving: 1024)
        #expect(
            !Reserve(root: disk.folder.path, size: 2 << 20, fileSystem: files).acquire(),
            "too little is free for another"
        )
        let next = Reserve(root: disk.folder.path, size: 1 << 20, fileSystem: files)
        #expect(next.acquire() && next.isHeld)
        next.release()
        #expect(files.status(disk.folder.path + "/reserve")?.size == 0)
    }
}
