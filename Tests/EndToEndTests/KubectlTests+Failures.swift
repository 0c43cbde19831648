// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

// Logs that cannot be read.
extension EndToEnd.KubectlTests {
    private func unreadable(_ vm: String, _ pod: String, _ reason: String) -> String {
        "guestlog: \(vm): cannot read the log of the pod \(pod) on node-\(pod.split(separator: "/").last ?? ""): \(reason)"
    }

    @Test("a log that cannot be read is named, the others are shown, and the exit status says it")
    func refused() {
        cluster.pod("a", of: "web")
        cluster.pod("b", of: "db", namespace: "other", instance: "2")
        cluster.log("a", "one", at: 0)
        cluster.log("b", "two", at: 1)
        let cases: [(Int, String, Int32)] = [(502, "dial tcp: i/o timeout", 3), (403, "b is forbidden", 2)]
        for (status, message, exitCode) in cases {
            cluster.refuse("b", status, message)
            let call = cluster.begin("logs", "-A", "--no-prefix")
            #expect(call.wait() == exitCode && call.text == "one\n", "\(call.text)")
            #expect(call.standardError == unreadable("db", "other/b", message) + "\n")
            let boots = cluster.begin("boots", "-A")
            #expect(boots.wait() == exitCode && boots.text.contains("web"), "\(boots.text)")
            let filtered = cluster.begin("logs", "-A", "-g", "two")
            #expect(filtered.wait() == exitCode)
        }
    }

    @Test("a VM that does not exist does not keep the logs of others from being shown")
    func unknown() {
        cluster.pod("a")
        cluster.log("a", "one", at: 0)
        let call = cluster.begin("logs", "wbe", "web", "--no-prefix")
        #expect(call.wait() == 2 && call.text == "one\n", "\(call.text)")
        #expect(call.standardError.contains("there is no VM wbe in the namespace shop"))
    }

    @Test("after a live migration the target's log is shown where the source's cannot be read")
    func migrationFromUnreachableNode() {
        cluster.pod("source", phase: "Succeeded")
        cluster.pod("target", created: "2026-08-01T11:00:00Z")
        cluster.log("target", "here", at: 0)
        cluster.refuse("source", 504, "no answer")
        let call = cluster.begin("logs", "web")
        #expect(call.wait() == 3 && call.text == "here\n", "\(call.text)")
        #expect(call.standardError == unreadable("web", "shop/source", "no answer") + "\n")
    }

    @Test("of a response that is cut the rest is requested; what came is shown when nothing more comes")
    func cut() {
        cluster.pod("a")
        cluster.log("a", (0..<5).map { ("x \($0)", $0, 0) })
        FileText.write("80", to: cluster.folder.path + "/break")
        let call = cluster.begin("logs", "web", "--tail", "4")
        #expect(call.wait() == 0 && call.text == "x 1\nx 2\nx 3\nx 4\n", "\(call.text) \(call.standardError)")
        FileText.write("50", to: cluster.folder.path + "/break")
        let failing = cluster.begin("logs", "web")
        #expect(failing.wait() == 3 && failing.text == "x 0\n", "\(failing.text)")
        #expect(failing.standardError.hasPrefix("guestlog: web: cannot read the log of the pod shop/a on node-a: "))
    }

    @Test("where logs are followed, one that is refused is named and the others go on; none left is an error")
    func followedRefusal() {
        cluster.pod("a", of: "web")
        cluster.pod("b", of: "db", instance: "2")
        cluster.log("a", "one", at: 0)
        cluster.refuse("b", 403, "b is forbidden")
        for tail in ["5", "all"] {
            let call = cluster.begin("logs", "-A", "-f", "--no-prefix", "--tail", tail)
            let message = unreadable("db", "shop/b", "b is forbidden") + "\n"
            #expect(eventually { call.standardError == message }, "\(call.standardError)")
            #expect(eventually { call.text == "one\n" }, "\(call.text)")
            call.stop(SIGINT)
        }
        let single = cluster.begin("logs", "db", "-f")
        #expect(single.wait() == 2 && single.text.isEmpty)
        #expect(single.standardError == unreadable("db", "shop/b", "b is forbidden") + "\n")
    }

    @Test("with -f a server that cannot be reached is reported, and asked again")
    func followedServer() {
        for (option, value) in [("--tail", "all"), ("--tail", "5"), ("-b", "0")] {
            let call = cluster.begin("logs", "web", "-f", option, value, "--server", "http://127.0.0.1:1")
            #expect(eventually { call.standardError.contains("127.0.0.1:1") }, "\(call.standardError)")
            #expect(call.standardError.hasSuffix("; trying again\n") && !call.hasEnded)
            call.stop(SIGINT)
        }
    }

    @Test("a followed log that cannot be read for a time is named once, and its last lines are shown afterwards")
    func followedOutage() {
        cluster.pod("a")
        cluster.log("a", (0..<8).map { ("x \($0)", $0, 0) })
        cluster.refuse("a", 502, "no answer")
        let call = cluster.begin("logs", "web", "-f", "--tail", "5")
        let message = unreadable("web", "shop/a", "no answer") + "; trying again\n"
        #expect(eventually { call.standardError == message }, "\(call.standardError)")
        let before = cluster.requests.count
        #expect(eventually { cluster.requests.count > before + 2 })
        #expect(call.standardError == message)
        cluster.permit("a")
        #expect(eventually { call.text == "x 3\nx 4\nx 5\nx 6\nx 7\n" }, "\(call.text)")
        cluster.log("a", "x 8", at: 8)
        #expect(eventually { call.text == "x 3\nx 4\nx 5\nx 6\nx 7\nx 8\n" }, "\(call.text)")
        call.stop(SIGINT)
    }
}
