// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

// Following.
extension EndToEnd.KubectlTests {
    @Test("a VM that has not started is waited for, and its restart is followed")
    func waits() {
        cluster.vm(isRunning: false)
        let call = cluster.begin("logs", "web", "-f")
        #expect(eventually { call.standardError.contains("waiting for web to start") })
        cluster.pod("a", phase: "Pending")
        cluster.log("a", "first", at: 0)
        cluster.pod("a")
        #expect(eventually { call.text == "first\n" }, "\(call.standardError)")
        cluster.pod("a", phase: "Succeeded")
        cluster.removePod("a")
        cluster.log("b", "second", at: 5)
        cluster.pod("b", instance: "another", created: "2026-08-01T12:00:00Z")
        #expect(eventually { call.text == "first\nsecond\n" }, "\(call.standardError)")
        call.signal(SIGTERM)
        #expect(call.wait() == 128 + SIGTERM)
    }

    @Test(
        "where the kubelet ends the response at a rotation, every line comes once, and repeated ones as often as they were"
    )
    func rotation() {
        cluster.pod("a")
        FileText.write("1000", to: cluster.folder.path + "/cut")
        let lines = (0..<120).map { (text: "line \($0 / 2)", second: $0 / 10, nanosecond: $0 % 10) }
        cluster.log("a", Array(lines[..<60]))
        let call = cluster.begin("logs", "web", "-f")
        let real = cluster.beginKubectl("logs", "a", "-c", "guest-console-log", "-f", "--timestamps")
        #expect(real.wait() == 0 && real.text.split(separator: "\n").count < 60)
        #expect(eventually { call.text.split(separator: "\n").count >= 60 }, "\(call.standardError)")
        cluster.log("a", Array(lines[60...]))
        let expected = lines.map { $0.text + "\n" }.joined()
        #expect(eventually { call.text.utf8.count >= expected.utf8.count }, "\(call.standardError)")
        #expect(call.text == expected)
        #expect(cluster.requests.filter { $0.contains("sinceTime=2026-08-01T10%3A00%3A") }.count >= 2)
    }

    @Test("--tail counts the lines that match and --boot chooses the latest boot, also where more is followed")
    func followedChoice() {
        cluster.pod("a")
        cluster.log("a", "[    0.000000] Linux version 6.1.0", at: 0)
        cluster.log("a", (1..<20).map { ("x \($0)", $0, 0) })
        cluster.log("a", [("[    0.000000] Linux version 6.1.0", 20, 0), ("x 21", 21, 0), ("other", 22, 0)])
        let tail = cluster.begin("logs", "web", "-f", "--tail", "3", "-g", "x \\d")
        #expect(eventually { tail.text == "x 18\nx 19\nx 21\n" }, "\(tail.text) \(tail.standardError)")
        let boot = cluster.begin("logs", "web", "-f", "-b", "0", "-g", "x \\d")
        #expect(eventually { boot.text == "x 21\n" }, "\(boot.text) \(boot.standardError)")
        cluster.log("a", "x 23", at: 23)
        #expect(eventually { tail.text.hasSuffix("x 21\nx 23\n") && boot.text == "x 21\nx 23\n" })
        tail.stop(SIGINT)
        boot.stop(SIGINT)
    }

    @Test("what a silent guest prints while its connection is renewed is shown, with --tail 0 too")
    func renewal() {
        let cut = cluster.folder.path + "/cut"
        var follows: Int { cluster.requests.count { $0.contains("/log?") && $0.contains("follow=true") } }
        cluster.pod("a")
        cluster.log("a", "old", at: 0)
        FileText.write("0", to: cut)
        let call = cluster.begin("logs", "web", "-f", "--tail", "0")
        #expect(eventually { follows >= 2 }, "\(call.standardError)")
        cluster.log("a", "new", at: 1)
        let before = follows
        #expect(eventually { follows >= before + 2 })
        unlink(cut)
        #expect(eventually { call.text == "new\n" }, "\(call.text) \(call.standardError)")
        cluster.log("a", "newer", at: 2)
        #expect(eventually { call.text == "new\nnewer\n" })
        call.stop(SIGINT)
    }

    @Test("a server that forgets the version of a watch is asked for the whole list again")
    func forgotten() {
        FileText.write("", to: cluster.folder.path + "/forget")
        let call = cluster.begin("logs", "web", "-f")
        #expect(eventually { cluster.requests.filter { $0.contains("watch=true") }.count >= 2 })
        cluster.pod("a")
        cluster.log("a", "there", at: 0)
        #expect(eventually { call.text == "there\n" }, "\(call.standardError)")
    }
}
