// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HTTPAPI
import Kubernetes
import SystemIO
import TestTraits
import Testing

@testable import guestlog

@Suite(.blocking) struct StatusErrorTests {
    private func status(_ error: any Error) -> ExitCode { (error as? any StatusError)?.exitCode ?? .wrongUse }

    @Test("what a later try may reach is status 3, what the command line names wrongly is 2")
    func statuses() {
        #expect(status(SystemError("connect", "/run/x", code: ECONNREFUSED)) == .outOfReach)
        #expect(status(APIError(503, "later")) == .outOfReach && status(APIError(404, "no")) == .wrongUse)
        #expect(status(KubernetesError(status: 500, "x")) == .outOfReach && status(KubernetesError("x")) == .wrongUse)
        #expect(status(Output.Closed()) == .success)
        struct Other: Error {}
        #expect(status(Other()) == .wrongUse)
    }

    @Test("a file of the command line that cannot be opened, read or written is wrong usage, with the reason")
    func files() {
        let absent = #expect(throws: CommandLineError.self) { try OpenFile(reading: "/no/such.log") }
        #expect(absent?.description == "/no/such.log cannot be opened: No such file or directory")
        let folder = #expect(throws: CommandLineError.self) { try OpenFile(reading: "/").contents() }
        #expect(folder?.description == "/ cannot be read: Is a directory")
        let target = #expect(throws: CommandLineError.self) {
            try OpenFile(writing: "/no/such.log", O_TRUNC, permissions: 0o600)
        }
        #expect(target?.description == "/no/such.log cannot be opened for writing: No such file or directory")
        let full = #expect(throws: CommandLineError.self) {
            let file = try OpenFile(writing: "/dev/full", 0, permissions: 0o600)
            try Output.write([0x0a], to: file.raw)
        }
        #expect(full?.description == "the output file cannot be written: No space left on device")
    }

    @Test("the help and docs/cli.md give the same exit statuses")
    func documented() throws {
        func words(_ text: String) -> String {
            String(text.filter { $0 != "`" }).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        let folder = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let bytes = try #require(try LinuxFileSystem().contents(of: folder + "/docs/cli.md"))
        #expect(words(String(decoding: bytes, as: UTF8.self)).contains(words(Guestlog.configuration.discussion)))
    }
}
