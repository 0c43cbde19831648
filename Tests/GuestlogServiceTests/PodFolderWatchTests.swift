// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import KubeVirt
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct PodFolderWatchTests {
    private static let first = "11111111-fe55-4f63-919a-807b59efff76"
    private static let second = "22222222-fe55-4f63-919a-807b59efff76"

    private func pods(_ events: [NodePods.Event]) -> Set<String> {
        Set(events.compactMap { if case .folder(let pod, _, _) = $0 { pod } else { nil } })
    }

    @Test("without watches the folders are looked at again every ten seconds")
    func polling() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/pods", 0o755)
        mkdir(folder.path + "/logs", 0o755)
        mkdir(folder.path + "/pods/" + Self.first, 0o755)
        let watch = PodFolderWatch(
            NodeFolders(pods: folder.path + "/pods", logs: folder.path + "/logs"),
            problems: Problems(),
            diagnostics: Diagnostics(threshold: .error, sink: { _, _ in })
        ) { _, path throws(SystemError) in
            throw SystemError("inotify_add_watch", path, code: ENOSPC)
        }
        #expect(pods(watch.changes(at: 0)) == [Self.first])
        #expect(watch.deadline == 10_000_000)
        mkdir(folder.path + "/pods/" + Self.second, 0o755)
        #expect(pods(watch.changes(at: 9_999_999)).isEmpty)
        #expect(pods(watch.changes(at: 10_000_000)) == [Self.first, Self.second])
        #expect(watch.deadline == 20_000_000)
        rmdir(folder.path + "/pods/" + Self.first)
        #expect(watch.changes(at: 20_000_000).contains(.folderGone(pod: Self.first)))
    }

    @Test("a folder with logs that is deleted is gone, and does not appear again")
    func logFolders() throws {
        let folder = TemporaryFolder()
        let logs = folder.path + "/logs/simone_virt-launcher-web-abcde_" + Self.first
        mkdir(folder.path + "/pods", 0o755)
        mkdir(folder.path + "/logs", 0o755)
        mkdir(logs, 0o755)
        let watch = PodFolderWatch(
            NodeFolders(pods: folder.path + "/pods", logs: folder.path + "/logs"),
            problems: Problems(),
            diagnostics: Diagnostics(threshold: .error, sink: { _, _ in })
        )
        #expect(watch.changes(at: 0).count == 1)
        rmdir(logs)
        #expect(watch.changes(at: 1) == [.logFolderGone(pod: Self.first)])
    }
}
