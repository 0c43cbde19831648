// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// `guestlog console` with piped input: the result does not depend on timing.
@Suite(.serialized) struct ConsoleInputTests {
    @Test("an unknown VM is reported each time, and no input is read", arguments: ["</dev/null", "echo hi |"])
    func unknownVM(input: String) throws {
        let site = try Site()
        for round in 1...20 {
            let child = ChildProcess(
                ["sh", "-c", Self.line(input, "nosuchvm", site)],
                name: "unknown-\(round)",
                in: site.path
            )
            #expect(child.wait() == 2)
            #expect(child.standardError.contains("no console of a VM named nosuchvm is captured"))
        }
    }

    private static func line(_ input: String, _ words: String, _ site: Site) -> String {
        let command = "\(Program.guestlog) console \(words) " + site.options(.socket).joined(separator: " ")
        return input.hasSuffix("|") ? "\(input) \(command)" : "\(command) \(input)"
    }

    private func run(_ input: String, _ words: String, _ site: Site, name: String) -> ChildProcess {
        ChildProcess(["sh", "-c", Self.line(input, words, site)], name: name, in: site.path)
    }

    @Test("a VM that is off, or has another writer, is reported each time; --steal takes the right to write")
    func refused() throws {
        let site = try Site(consoles: {
            "consoles: [{ connect: '\($0)/off.sock', name: off }, { path: '\($0)/vms/{name}.sock' }]"
        })
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        let writer = TerminalSession([Program.guestlog, "console", "web"] + site.options(.socket))
        #expect(writer.shows("connected to web"))
        for round in 1...10 {
            let off = run("echo hi |", "off", site, name: "off-\(round)")
            #expect(off.wait() == 3)
            #expect(off.standardError.contains("cannot type on off: it is not connected"))
            let taken = run("echo hi |", "web", site, name: "taken-\(round)")
            #expect(taken.wait() == 2)
            #expect(taken.standardError.contains("is writing"))
        }
        let stolen = run("echo hi |", "web --steal", site, name: "stolen")
        #expect(stolen.wait() == 0, "\(stolen.standardError)")
        #expect(guest.hears("hi\n"))
        #expect(guest.typed == Array("hi\n".utf8))
    }

    @Test("exit status 0 means that all input has reached the guest's console")
    func handsEverythingOver() throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        var expected = 0
        for round in 1...10 {
            let child = run("seq 1 20000 |", "web", site, name: "long-\(round)")
            expected += (1...20000).reduce(0) { $0 + String($1).utf8.count + 1 }
            #expect(guest.hears(expected))
            #expect(child.wait() == 0, "\(child.standardError)")
        }
        #expect(guest.typed.count == expected)
        #expect(site.guestlog("rm", "web").status == 0)
    }

    @Test("joining a VM that is off reports that input is dropped")
    func offVM() throws {
        let site = try Site(consoles: { "consoles: [{ connect: '\($0)/off.sock', name: off }]" })
        let session = TerminalSession([Program.guestlog, "console", "off"] + site.options(.socket))
        #expect(session.shows("connected to off"))
        #expect(session.shows("off is not connected; waiting for it; input is dropped until then"))
        session.type("\u{1d}")
        #expect(session.wait() == 0)
        let unknown = TerminalSession([Program.guestlog, "console", "nosuch"] + site.options(.socket))
        #expect(unknown.wait() == 2)
        #expect(!unknown.text.contains("connected"))
    }

    @Test("a console on demand that cannot be reached is reported once, not at each attempt; piped input is refused")
    func unreachableOnDemand() throws {
        let site = try Site(consoles: { _ in "consoles: [{ tcp: '127.0.0.1:1', name: far, on-demand: true }]" })
        let session = TerminalSession([Program.guestlog, "console", "far"] + site.options(.socket))
        #expect(session.shows("cannot reach the console"))
        let piped = run("echo hi |", "far --steal", site, name: "far")
        #expect(piped.wait() == 3)
        #expect(piped.standardError.contains("cannot type on far: it is not connected"))
        session.type("\u{1d}")
        #expect(session.wait() == 0)
        // Once for this session, and once for the other.
        #expect(session.text.matches(of: #/cannot reach/#).count <= 2, "\(session.text)")
    }
}
