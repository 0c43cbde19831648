// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import Synchronization
import TestSupport
import TestTraits
import Testing

@testable import RotatingFile

@Suite(.blocking) struct LogFileWatchTests {
    private func touch(_ path: String, _ text: String = "x") {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        #expect(file >= 0 && write(file, text, text.utf8.count) == text.utf8.count)
        close(file)
    }

    @Test("writes, rotations and backups of a log are changes of it, and of no other in the folder")
    func changes() {
        let folder = TemporaryFolder()
        let watch = LogFileWatch { Issue.record("\($0)") }
        let one = watch.add(folder.path + "/one-log")
        let two = watch.add(folder.path + "/two-log")
        #expect(watch.changes().isEmpty && !watch.isPolling)
        touch(folder.path + "/one-log")
        #expect(watch.changes() == [one])
        touch(folder.path + "/two-log")
        touch(folder.path + "/three-log")
        #expect(watch.changes() == [two])
        rename(folder.path + "/one-log", folder.path + "/one-log.0")
        #expect(watch.changes() == [one])
        touch(folder.path + "/one-log.0")
        #expect(watch.changes() == [one])
        watch.remove(two)
        touch(folder.path + "/two-log")
        #expect(watch.changes().isEmpty)
    }

    @Test("a folder that appears, moves away, and comes again is watched")
    func folders() {
        let folder = TemporaryFolder()
        let deep = folder.path + "/a/b"
        let watch = LogFileWatch { Issue.record("\($0)") }
        let id = watch.add(deep + "/log")
        for _ in 0..<3 {
            mkdir(folder.path + "/a", 0o755)
            #expect(watch.changes() == [id])
            mkdir(deep, 0o755)
            #expect(watch.changes() == [id])
            touch(deep + "/log")
            #expect(watch.changes() == [id])
            rename(folder.path + "/a", folder.path + "/moved")
            unlink(folder.path + "/moved/b/log")
            rmdir(folder.path + "/moved/b")
            rmdir(folder.path + "/moved")
            #expect(watch.changes().contains(id))
        }
    }

    @Test("a folder that is deleted while its log is held open, and made again, is watched")
    func heldFolder() {
        let folder = TemporaryFolder()
        let deep = folder.path + "/a/b"
        let watch = LogFileWatch { Issue.record("\($0)") }
        func make() {
            mkdir(folder.path + "/a", 0o755)
            mkdir(deep, 0o755)
            touch(deep + "/log")
        }
        make()
        let id = watch.add(deep + "/log")
        let held = open(deep + "/log", O_RDONLY | O_CLOEXEC)
        defer { close(held) }
        unlink(deep + "/log")
        rmdir(deep)
        rmdir(folder.path + "/a")
        #expect(watch.changes() == [id] && watch.isPolling)
        #expect(watch.changes().isEmpty)
        make()
        #expect(watch.changes() == [id] && !watch.isPolling)
        touch(deep + "/log")
        #expect(watch.changes() == [id])
    }

    @Test("2,000 logs in one folder need one watch, and adding and removing them is quick")
    func many() {
        let folder = TemporaryFolder()
        let watch = LogFileWatch { Issue.record("\($0)") }
        let ids = (0..<2000).map { watch.add(folder.path + "/\($0)-log") }
        touch(folder.path + "/1234-log")
        #expect(watch.changes() == [ids[1234]])
        ids.forEach(watch.remove)
        touch(folder.path + "/1234-log")
        #expect(watch.changes().isEmpty)
    }

    @Test("50 logs among 500 finished files need one watch and a descriptor each")
    func among() {
        let folder = TemporaryFolder()
        for number in 0..<500 {
            touch(folder.path + "/finished-\(number).log")
        }
        let watch = LogFileWatch { Issue.record("\($0)") }
        let paths = (0..<50).map { folder.path + "/live-\($0).log" }
        var followers: [LogFileWatch.ID: FollowedText] = [:]
        for path in paths {
            touch(path)
            followers[watch.add(path)] = FollowedText(path)
        }
        _ = watch.changes()
        followers.values.forEach { $0.read() }
        #expect(followers.values.allSatisfy { $0.text == "x" })
        let open = ProcFile.names(in: "/proc/self/fd").compactMap { ProcFile.target(ofLink: "/proc/self/fd/" + $0) }
        #expect(open.count { $0.hasPrefix(folder.path) } == 50)
        touch(paths[7], "more")
        let changed = watch.changes()
        #expect(changed.count == 1)
        changed.forEach { followers[$0]?.read() }
        #expect(followers.values.count { $0.text == "xmore" } == 1)
    }

    @Test("when the user has no inotify instances left, all logs are polled, and that is said once")
    func refused() {
        let folder = TemporaryFolder()
        let said = Mutex<[String]>([])
        let watch = LogFileWatch(
            opening: { () throws(SystemError) in throw SystemError("inotify_init", code: EMFILE) },
            warn: { text in said.withLock { $0.append(text) } }
        )
        let ids = Set((0..<3).map { watch.add(folder.path + "/\($0)") })
        #expect(watch.isPolling && watch.descriptor == nil)
        #expect(watch.changes() == ids)
        let texts = said.withLock { $0 }
        #expect(texts.count == 1 && texts[0].contains("fs.inotify.max_user_instances"))
        #expect(texts[0].contains("limit of open files"))
        let noWatch = SystemError("inotify_add_watch", code: ENOSPC)
        #expect(noWatch.watchRemedy == "; raise fs.inotify.max_user_watches with sysctl(8)")
    }
}
