// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import TestSupport
import Testing

extension EndToEnd {
    /// A login while others follow.
    @Suite struct LoginTests {
        @Test("a login while followers and the log run is stored as the guest echoes it, its password is not")
        func logsIn() throws {
            let site = try Site()
            let guest = Guest("web", chardev: .server(site.path + "/vms/web.sock"), in: site.path)
            #expect(try site.sees("Linux version", from: "web"))
            let followers = Site.Way.allCases.map { way in
                site.begin(["logs", "web", "-f", "-o", "raw"], by: way, name: "follower-\(way)")
            }
            // In the middle of the boot: the console need not be quiet.
            let console = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
            #expect(console.shows("connected to web"))
            #expect(try site.sees("login: ", from: "web"))
            console.type("root\n")
            #expect(console.shows("Password: "))
            console.type(GuestImage.password + "\n")
            #expect(console.shows("guest# "))
            console.type("echo the answer is $((6 * 7))\n")
            #expect(console.shows("the answer is 42"))
            console.type("poweroff -f\n")
            #expect(guest.hasSwitchedOff())
            console.type("\u{1d}")
            #expect(console.wait() == 0)

            #expect(try eventually { difference(try site.stored("web").bytes, fromRecord: guest.printed) == nil })
            let stored = try site.stored("web").bytes
            #expect(difference(stored, fromRecord: guest.printed) == nil)
            for follower in followers {
                #expect(eventually { follower.output.count >= stored.count })
                #expect(difference(follower.output, stored) == nil, "a follower saw something else than is stored")
                follower.stop(SIGINT)
                #expect(follower.standardError == "")
            }
            for way in Site.Way.allCases {
                #expect(site.guestlog("logs", "web", "-g", #"echo the answer is \$"#, by: way).status == 0)
                #expect(site.guestlog("logs", "web", "-g", "the answer is 42", by: way).status == 0)
                #expect(difference(site.guestlog("logs", "web", "-o", "raw", by: way).bytes, stored) == nil)
            }
            // The kernel may print into the prompt; the password is not echoed.
            let prompt = try #require(stored.firstRange(of: Array("Password: ".utf8)))
            let shell = try #require(stored.firstRange(of: Array("guest# ".utf8)))
            let between = stored[prompt.upperBound..<shell.lowerBound]
            #expect(between.firstRange(of: Array("\(GuestImage.password)\r".utf8)) == nil)
            // The daemon has sealed and synced everything when it has stopped; then the store can be read without it.
            site.stop()
            #expect(difference(site.concatenated("web"), stored) == nil)
            #expect(difference(site.guestlog("logs", "web", "-o", "raw").bytes, stored) == nil)
        }
    }
}
