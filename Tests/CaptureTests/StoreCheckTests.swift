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

    private func code(_ options: CaptureService.Options) -> Int32? {
        do throws(SystemError) {
            try CaptureService.checkStore(options)
            return nil
        } catch {
            return error.code
        }
    }

    @Test("the check of a store that does not exist creates nothing")
    func absent() throws {
        #expect(code(options) == nil)
        #expect(try LinuxFileSystem().names(in: folder.path) == [])
    }

    @Test("the check finds a file in the store's place, or in that of its identity")
    func files() throws {
        _ = try StoredFile(store, .create, on: LinuxFileSystem())
        #expect(code(options) == ENOTDIR)
        unlink(store)
        mkdir(store, 0o755)
        #expect(code(options) == nil)
        mkdir(store + "/.id", 0o755)
        #expect(code(options) != nil)
    }

    @Test(
        "the check acts as the store's owner where the service does",
        .enabled(if: geteuid() == 0, "needs root, who alone can act for another")
    )
    func owner() throws {
        mkdir(store, 0o755)
        chown(store, 65534, 65534)
        chmod(folder.path, 0o700)
        var options = options
        #expect(code(options) == nil)
        options.usesStoreOwner = true
        #expect(code(options) == EACCES)
        chmod(folder.path, 0o755)
        #expect(code(options) == nil)
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
