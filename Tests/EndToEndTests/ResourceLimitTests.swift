// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

/// Programs under limits of getrlimit(2).
@Suite(.serialized) struct ResourceLimitTests {
    /// Runs guestlog with `words` under the limit that `ulimit` with these options sets.
    private func limited(_ options: String, _ words: [String], on site: Site) -> ChildProcess {
        let script = "ulimit \(options); exec \"$@\""
        let command = ["/bin/bash", "-c", script, "bash", Program.guestlog] + words
        return ChildProcess(command, name: "limited", in: site.path)
    }

    @Test("where no file may be larger than a little, a run's command ends as usual, and what fits is stored")
    func fileSize() throws {
        let site = try Site(isServed: false)
        let words = ["run", "--name", "web"] + site.options(.store)
        // In units of 1,024 bytes.
        let child = limited("-f 100", words + ["--", "sh", "-c", "echo tick; exit 7"], on: site)
        #expect(child.wait() == 7, "\(child.standardError)")
        #expect(try String(decoding: site.stored("web").bytes, as: UTF8.self) == "tick\r\n")
        // The command has the limit and its signal, as without guestlog.
        let large = limited("-f 100", words + ["--", "sh", "-c", "head -c 1M /dev/zero > zeros"], on: site)
        #expect(large.wait() == 128 + SIGXFSZ, "\(large.standardError)")
    }

    @Test("too few descriptors are an error with the number that is needed", arguments: ["vms", "serve"])
    func descriptors(command: String) throws {
        let site = try Site(isServed: false)
        let child = limited("-n 20", [command, "--config", site.configuration], on: site)
        #expect(child.wait() == 3)
        #expect(child.standardError.contains("the limit is 20, and "), "\(child.standardError)")
    }
}
