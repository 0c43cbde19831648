// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

/// A take-over, or a return, that was interrupted and is repeated.
@Suite(.blocking) struct VirtlogdTakeOverTests {
    private let folder = TemporaryFolder()

    private var path: String { folder.path + "/virtlogd" }
    /// Stands for this program.
    private var ownProgram: String { folder.path + "/guestlog" }
    private var processFile: String { folder.path + "/pid" }

    /// Both programs are shells.
    init() throws {
        for name in ["virtlogd", "guestlog"] {
            let copy = try ChildProgram.run(["cp", "-L", "/bin/sh", folder.path + "/" + name])
            #expect(copy.status == 0)
        }
    }

    private func takeOver(limit: Int) -> VirtlogdTakeOver {
        VirtlogdTakeOver(processFile: processFile, ownProgram: ownProgram, limit: limit)
    }

    /// Runs `body` while the program at `path` is run, which has handled SIGUSR1 by `action`.
    private func whileRunning(onSignal action: String, _ body: () throws -> Void) throws {
        let script = "trap '\(action)' USR1; echo $$ > \(processFile); while :; do sleep 0.05; done"
        let child = try ChildProgram([path, "-c", script])
        defer { kill(child.process, SIGKILL) }
        #expect(eventually { ProcFile.text(processFile).hasSuffix("\n") })
        try body()
    }

    /// Whether virtlogd is at its path: not a link, and no other copy is kept.
    private var isVirtlogdBack: Bool {
        ProcFile.target(ofLink: path) == nil && access(path, X_OK) == 0 && access(path + ".libvirt", F_OK) != 0
    }

    @Test("adopt that was killed while it waited, and is repeated in vain, leaves virtlogd where it was")
    func adoptInterrupted() throws {
        try whileRunning(onSignal: "") {
            let program = ExchangedProgram(path: path, ownProgram: ownProgram)
            try program.exchange()
            #expect(program.isOwn && program.isKept)
            let error = #expect(throws: VirtlogdTakeOver.Refused.self) { _ = try takeOver(limit: 0).adopt() }
            #expect(error?.description.contains("does not react to SIGUSR1") == true)
            #expect(isVirtlogdBack)
        }
    }

    @Test("adopt that was killed while it waited succeeds when it is repeated, and keeps virtlogd")
    func adoptRepeated() throws {
        try whileRunning(onSignal: "exec \(path) -c \"while :; do sleep 0.05; done\"") {
            let program = ExchangedProgram(path: path, ownProgram: ownProgram)
            try program.exchange()
            #expect(try takeOver(limit: 120).adopt().path == path)
            #expect(program.isOwn && program.isKept && ProcFile.target(ofLink: program.kept) == nil)
        }
    }

    @Test("release that was killed before its signal succeeds when it is repeated")
    func releaseRepeated() throws {
        let program = ExchangedProgram(path: path, ownProgram: ownProgram)
        try program.exchange()
        try whileRunning(onSignal: "exec \(path) -c \"while :; do sleep 0.05; done\"") {
            try program.revert()
            #expect(try takeOver(limit: 120).release().path == path)
            #expect(isVirtlogdBack)
        }
    }

    @Test("release of a daemon that is still writing reports that it becomes virtlogd later")
    func releaseUnfinished() throws {
        let program = ExchangedProgram(path: path, ownProgram: ownProgram)
        try program.exchange()
        try whileRunning(onSignal: "") {
            let error = #expect(throws: VirtlogdTakeOver.Refused.self) { _ = try takeOver(limit: 0).release() }
            #expect(error?.description.contains("and becomes virtlogd when done") == true)
            #expect(isVirtlogdBack)
        }
    }

    @Test("release of what adopt has not replaced is refused")
    func notAdopted() throws {
        #expect(unlink(path) == 0)
        #expect(symlink(ownProgram, path) == 0)
        try whileRunning(onSignal: "") {
            let error = #expect(throws: VirtlogdTakeOver.Refused.self) { _ = try takeOver(limit: 0).release() }
            #expect(error?.description.contains("was not put in virtlogd's place by 'guestlog libvirt adopt'") == true)
        }
    }
}
