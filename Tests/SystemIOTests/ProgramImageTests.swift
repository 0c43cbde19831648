// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct ProgramImageTests {
    private let folder = TemporaryFolder()

    /// An executable file with the contents `bytes`.
    private func program(_ bytes: [UInt8]) -> String {
        let path = folder.path + "/program"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o755)
        _ = write(file, bytes, bytes.count)
        close(file)
        return path
    }

    @Test("a program that runs returns its version")
    func version() throws {
        let path = program(Array("#!/bin/sh\necho \"$1 1.2\"\n".utf8))
        // Another test's child may have the file open for writing for a moment (ETXTBSY), until it runs its program.
        #expect(eventually { (try? ProgramImage.version(of: path)) == "--version 1.2\n" })
    }

    @Test("a program that cannot take over is detected")
    func unusable() throws {
        #expect(throws: SystemError.self) { try ProgramImage.version(of: folder.path + "/absent") }
        for bytes in [Array("#!/bin/sh\nexit 1\n".utf8), Array("\u{7f}ELF, cut off".utf8), Array("garbage\n".utf8), []]
        {
            #expect(throws: SystemError.self) { try ProgramImage.version(of: program(bytes)) }
        }
    }

    @Test("a child has no signal blocked, whatever its parent has")
    func signals() throws {
        var (blocked, before) = (sigset_t(), sigset_t())
        sigemptyset(&blocked)
        sigaddset(&blocked, SIGUSR2)
        pthread_sigmask(SIG_BLOCK, &blocked, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let outcome = try ChildProgram.run(["/bin/sh", "-c", "grep SigBlk /proc/self/status"])
        #expect(String(decoding: outcome.output, as: UTF8.self) == "SigBlk:\t0000000000000000\n")
    }

    @Test("a child does not ignore the signals of failed writes, which its parent ignores")
    func writeSignals() throws {
        WriteSignals.ignore()
        let outcome = try ChildProgram.run(["/bin/sh", "-c", "grep SigIgn /proc/self/status"])
        let mask = String(decoding: outcome.output, as: UTF8.self).split(separator: "\t").last?.dropLast()
        let ignored = try #require(mask.flatMap { UInt64($0, radix: 16) })
        for signal in [SIGPIPE, SIGXFSZ] {
            #expect(ignored >> UInt64(signal - 1) & 1 == 0, "\(signal)")
        }
    }

    @Test("a child that does not end is killed")
    func limit() throws {
        #expect(throws: SystemError("run", "/bin/sleep", code: ETIMEDOUT)) {
            try ChildProgram.run(["/bin/sleep", "1000"], limit: 1)
        }
    }
}
