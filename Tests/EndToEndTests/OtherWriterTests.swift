// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import Testing

/// A daemon whose store another process writes too.
@Suite(.serialized) struct OtherWriterTests {
    @Test("what guestlog run stores is followed through the daemon, and delivered by its outputs, while it runs")
    func run() throws {
        let delivered = TemporaryFolder()
        let output = "{ name: files, type: file, path: '\(delivered.path)/{vm}.json', from: beginning }"
        let site = try Site(extra: "outputs: [\(output)]")
        let end = site.path + "/end"
        let script = "n=0; while [ ! -e \(end) ]; do n=$((n + 1)); echo tick $n; sleep 0.05; done"
        let words = ["run", "--name", "one"] + site.options(.store) + ["--", "sh", "-c", script]
        let run = site.begin(words, name: "run")
        #expect(try site.sees("tick 1\r\n", from: "one"))
        let follower = site.begin(["logs", "one", "-f"], by: .socket, name: "follower")
        #expect(eventually { follower.text.contains("tick 1\n") })
        // What comes after both have read all that there was.
        let last = try site.stored("one").bytes.split(separator: Lines.feed).count + 20
        #expect(eventually { follower.text.contains("tick \(last)\n") }, "\(follower.text.suffix(100))")
        #expect(eventually { FileText.text(delivered.path + "/one.json").contains("tick \(last)\"") })
        FileText.write("", to: end)
        #expect(run.wait() == 0, "\(run.standardError)")
        follower.stop()
    }
}
