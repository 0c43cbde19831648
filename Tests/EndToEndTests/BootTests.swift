// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

extension EndToEnd {
    /// A guest's boots, and how each ended.
    @Suite struct BootTests {
        /// Logs in to a shell on the guest's console.
        private func logIn(_ console: TerminalSession) {
            #expect(console.shows("login: "))
            console.type("root\n")
            #expect(console.shows("Password: "))
            console.type(GuestImage.password + "\n")
            #expect(console.shows("guest# "))
        }

        @Test("a reboot, a panic and a power-off are distinguished, and each boot can be read by itself")
        func tellsBoots() throws {
            let site = try Site()
            let guest = Guest("web", chardev: .server(site.path + "/vms/web.sock"), in: site.path)
            #expect(try site.sees("Linux version", from: "web"))
            let console = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
            #expect(console.shows("connected to web"))
            logIn(console)
            // The new daemon did not see the machine being switched on.
            site.replace()
            #expect(console.shows("connected again"))
            console.type("echo in the first; reboot -f\n")
            logIn(console)
            console.type("echo in the second; echo c > /proc/sysrq-trigger\n")
            logIn(console)
            console.type("echo in the third; poweroff -f\n")
            #expect(guest.hasSwitchedOff())
            #expect(try eventually { try site.stored("web").boots.last?.event == .closed })

            let events = try site.stored("web").boots.map(\.event).filter { $0 != .closed }
            #expect(events == [.powerOn, .restart, .kernel, .panic, .kernel, .powerDown])
            for way in Site.Way.allCases {
                let rows = site.guestlog("boots", "web", by: way).text.split(separator: "\n").dropFirst()
                    .map { $0.split(separator: #/ {2,}/#).map { String($0) } }
                #expect(rows.map { $0[0] } == ["-2", "-1", "0"])
                #expect(rows.map { $0[1] } == ["1", "2", "3"])
                #expect(rows.map { $0[3] } == ["power-on", "kernel", "kernel"])
                #expect(rows.map { $0[5] } == ["restart", "panic", "power-down"])
                let times = rows.flatMap { [$0[2], $0[4]] }
                #expect(times == times.sorted(), "a boot begins before it ends: \(times)")
                try checkReading(site, way)
            }
        }

        private func checkReading(_ site: Site, _ way: Site.Way) throws {
            let printed = ["in the first", "in the second", "in the third"]
            let questions = [
                (words: ["-b", "0"], boot: 2), (["-b", "-1"], 1), (["--boot=-2"], 0), (["-b", "1"], 0),
                (["-b", "3"], 2), (["-p"], 1),
            ]
            var pieces: [Int: [UInt8]] = [:]
            for (words, boot) in questions {
                let child = site.begin(["logs", "web", "-o", "raw"] + words, by: way, name: "\(way)-\(words.joined())")
                #expect(child.wait() == 0)
                for (index, sentence) in printed.enumerated() {
                    #expect(child.text.contains(sentence) == (index == boot), "\(words) shows boot \(index + 1)")
                }
                #expect(
                    child.text.hasPrefix("[    0.000000] Linux version"),
                    "\(words) begins with the kernel's banner"
                )
                pieces[boot] = child.output
            }
            let all = (0..<3).flatMap { pieces[$0] ?? [] }
            #expect(difference(all, try site.stored("web").bytes) == nil, "no byte belongs to two boots or to none")
            #expect(site.guestlog("logs", "web", "-b", "4", by: way).status == 2)
        }
    }
}
