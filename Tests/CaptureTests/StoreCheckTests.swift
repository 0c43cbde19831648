// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// A store that cannot be opened for another reason than a full or failing disk.
@Suite(.blocking) struct StoreCheckTests {
    private let folder = TemporaryFolder()

    private var store: String { folder.path + "/store" }

    private var options: CaptureService.Options {
        CaptureService.Options(store: store, inflight: folder.path + "/inflight")
    }

    @Test("a service that retries after every error opens the store when it can")
    func retries() throws {
        _ = try StoredFile(store, .create, on: LinuxFileSystem())
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try capture.start(retryingStore: true)
        #expect(try capture.awaitStore(ignoringRetriedErrors: true))
        #expect(capture.problems.all.map(\.subject) == ["store"])
        unlink(store)
        #expect(eventually { capture.problems.all.isEmpty })
        capture.stop()
        #expect(access(store + "/.id", F_OK) == 0)
    }
}
