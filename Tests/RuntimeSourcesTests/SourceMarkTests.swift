// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import Transforms

@testable import RuntimeSources

@Suite(.blocking) struct SourceMarkTests {
    let fileSystem = FaultyFileSystem()

    /// Reads on; returns whether the mark is of the last record.
    private func isMarked(_ run: SourceRun) throws -> Bool {
        _ = try run.step()
        return run.restTime == nil
    }

    private func makeRun(_ fixture: SourceFixture, _ text: String) throws -> SourceRun {
        let path = try fixture.write(text, "a.json")
        var source = SourceFixture.source()
        source.kind = .files(path: path, .json, readsFromHead: true)
        let input = try ImportInput(path, .json, clock: SystemClock())
        return SourceRun(
            source,
            input,
            pipeline: Pipeline(),
            into: fixture.capture,
            interruption: try Interruption()
        )
    }

    @Test("a mark is not written before the records before it are on disk")
    func isAfterSync() throws {
        let fixture = try SourceFixture(fileSystem: fileSystem)
        fileSystem.set(.unsynced(EIO))
        defer { fileSystem.set(.healthy) }
        let run = try makeRun(fixture, #"{"n":"1"}"# + "\n")
        try run.begin()
        #expect(try eventually { try !isMarked(run) && fixture.lines().count == 1 })
        #expect(eventually { fixture.capture.problems.all.contains { $0.subject == "sync" } })
        let mark = fixture.folder.path + "/store/sources/test.position"
        #expect(try !isMarked(run) && access(mark, F_OK) != 0)
        fileSystem.set(.healthy)
        #expect(try eventually { try isMarked(run) })
        #expect(access(mark, F_OK) == 0)
        run.close()
    }
}
