import Glibc
import TestSupport
import Testing

/// `guestlog console` with input from a pipe: what it comes to does not depend on who is quicker.
@Suite(.serialized) struct ConsoleInputTests {
    @Test("a VM that is not there is told each time, and nothing is read", arguments: ["</dev/null", "echo hi |"])
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
        let command = "\(Program.guestlog) console \(words) " + site.place(.socket).joined(separator: " ")
        return input.hasSuffix("|") ? "\(input) \(command)" : "\(command) \(input)"
    }

    private func run(_ input: String, _ words: String, _ site: Site, name: String) -> ChildProcess {
        ChildProcess(["sh", "-c", Self.line(input, words, site)], name: name, in: site.path)
    }

    @Test("a VM that is off, or on which another writes, is told each time; --steal takes the right over")
    func refused() throws {
        let site = try Site(consoles: {
            "consoles: [{ connect: '\($0)/off.sock', name: off }, { path: '\($0)/vms/{name}.sock' }]"
        })
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        let writer = TerminalSession([Program.guestlog, "console", "web"] + site.place(.socket))
        #expect(writer.shows("connected to web"))
        for round in 1...10 {
            let off = run("echo hi |", "off", site, name: "off-\(round)")
            #expect(off.wait() == 3)
            #expect(off.standardError.contains("nothing can be typed on off: it is not connected"))
            let taken = run("echo hi |", "web", site, name: "taken-\(round)")
            #expect(taken.wait() == 2)
            #expect(taken.standardError.contains("is writing"))
        }
        let stolen = run("echo hi |", "web --steal", site, name: "stolen")
        #expect(stolen.wait() == 0, "\(stolen.standardError)")
        #expect(guest.hears("hi\n"))
        #expect(guest.typed == Array("hi\n".utf8))
    }

    @Test("all of the input has reached the guest's console when the exit status is 0")
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

    @Test("on joining a VM that is off it is said that what is typed is dropped")
    func offVM() throws {
        let site = try Site(consoles: { "consoles: [{ connect: '\($0)/off.sock', name: off }]" })
        let session = TerminalSession([Program.guestlog, "console", "off"] + site.place(.socket))
        #expect(session.shows("connected to off"))
        #expect(session.shows("off is not connected; waiting for it; what is typed until then is dropped"))
        session.type("\u{1d}")
        #expect(session.wait() == 0)
        let unknown = TerminalSession([Program.guestlog, "console", "nosuch"] + site.place(.socket))
        #expect(unknown.wait() == 2)
        #expect(!unknown.text.contains("connected"))
    }

    @Test("a console on demand that cannot be reached is told of once, not at each attempt; from a pipe it is refused")
    func unreachableOnDemand() throws {
        let site = try Site(consoles: { _ in "consoles: [{ tcp: '127.0.0.1:1', name: far, on-demand: true }]" })
        let session = TerminalSession([Program.guestlog, "console", "far"] + site.place(.socket))
        #expect(session.shows("the console cannot be reached"))
        let piped = run("echo hi |", "far --steal", site, name: "far")
        #expect(piped.wait() == 3)
        #expect(piped.standardError.contains("nothing can be typed on far: it is not connected"))
        session.type("\u{1d}")
        #expect(session.wait() == 0)
        // Once for itself, and once for the one who came by.
        #expect(session.text.matches(of: #/cannot be reached/#).count <= 2, "\(session.text)")
    }
}
