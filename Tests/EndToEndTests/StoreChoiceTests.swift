// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// Which store a command reads: the same for all commands.
@Suite(.serialized) struct StoreChoiceTests {
    /// A site whose daemon has a log of `uu`, and a configuration that names another store, with a log of `mine`.
    private func prepare() throws -> (site: Site, other: String, store: String) {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/uu.sock")
        try guest.accept()
        guest.emit("hello\n")
        #expect(try site.sees("hello", from: "uu"))
        let (other, store) = (site.path + "/other.yaml", site.path + "/other")
        FileText.write("store: \(store)\nruntime: \(site.runtime)\nlibvirt: { socket: none }\n", to: other)
        let run = [Program.guestlog, "run", "--name", "mine", "--config", other, "--", "echo", "x"]
        #expect(ChildProcess(run, name: "mine", in: site.path).wait() == 0)
        return (site, other, store)
    }

    private static let commands = [["vms"], ["logs", "--all", "--prefix"], ["verify"]]

    private func run(_ words: [String], _ environment: [String: String], in site: Site, name: String) -> ChildProcess {
        let child = ChildProcess([Program.guestlog] + words, name: name, in: site.path, environment: environment)
        #expect(child.wait() == 0, "\(words): \(child.standardError)")
        return child
    }

    @Test("without the store's daemon vms, logs -f and wait say that nothing is captured; vms --problem is no success")
    func deadDaemon() throws {
        let (site, _, _) = try prepare()
        site.killDaemon()
        let notice = "no daemon answers at \(site.socket)"
        let cases: [(words: [String], status: Int32)] = [
            (["vms"], 0), (["vms", "--problem"], 3), (["wait", "uu", "never", "--timeout", "10ms"], 1),
        ]
        for (words, status) in cases {
            let answer = site.guestlog(words)
            #expect(answer.status == status && answer.standardError.contains(notice), "\(words): \(answer)")
            #expect(!answer.standardError.contains("no VM has a problem"))
        }
        let follower = site.begin(["logs", "uu", "-f"], name: "follower")
        #expect(eventually { follower.standardError.contains(notice) })
        follower.stop()
        // A store of guestlog run never had a daemon.
        unlink(site.socket)
        #expect(site.guestlog("vms", "--problem").status == 0)
    }

    @Test("a store that only the file names gives way to the daemon's")
    func believesDaemon() throws {
        let (site, other, _) = try prepare()
        for (number, words) in Self.commands.enumerated() {
            let child = run(words + ["--config", other], [:], in: site, name: "file-\(number)")
            #expect(child.text.contains("uu") && !child.text.contains("mine"), "\(words): \(child.text)")
        }
        let boots = run(["boots", "uu", "--config", other], [:], in: site, name: "boots")
        // The console belongs to this process, which may have run for a while when it is found.
        #expect(boots.text.contains("power-on") || boots.text.contains("joined"))
        #expect(run(["export", "raw", "uu", "--config", other], [:], in: site, name: "export").text == "hello\n")
        #expect(run(["wait", "uu", "hel", "--config", other], [:], in: site, name: "wait").text == "hello\n")
    }

    @Test("a store that the environment names is read, by all commands, with a notice that the daemon keeps another")
    func mentionsDaemon() throws {
        let (site, _, store) = try prepare()
        for (number, words) in Self.commands.enumerated() {
            let environment = ["GUESTLOG_STORE": store, "GUESTLOG_CONFIG": site.configuration]
            let child = run(words, environment, in: site, name: "environment-\(number)")
            #expect(child.text.contains("mine") && !child.text.contains("uu"), "\(words): \(child.text)")
            #expect(child.standardError.contains("keeps its store in \(site.path)/store; this command reads \(store)"))
        }
    }

    @Test("a store that is named and that no daemon keeps is not mixed up with the daemon's when something is removed")
    func changesNamedStore() throws {
        let (site, _, store) = try prepare()
        let options = ["--store", store, "--config", site.configuration]
        for (number, words) in [["vacuum", "--size", "1"], ["token", "list"], ["drop", "uu"]].enumerated() {
            let child = ChildProcess([Program.guestlog] + words + options, name: "refused-\(number)", in: site.path)
            #expect(child.wait() == 2, "\(words): \(child.standardError)")
            #expect(child.standardError.contains("keeps its store in \(site.path)/store, not in \(store)"))
        }
        _ = run(["rm", "mine"] + options, [:], in: site, name: "remove")
        let again = ChildProcess([Program.guestlog, "rm", "mine"] + options, name: "again", in: site.path)
        #expect(again.wait() == 2 && again.standardError.contains("deleted already"), "\(again.standardError)")
        // The daemon has no VM of that name.
        let both = options + ["--socket", site.socket]
        let daemons = ChildProcess([Program.guestlog, "rm", "mine"] + both, name: "daemon", in: site.path)
        #expect(daemons.wait() == 2 && daemons.standardError.contains("mine"), "\(daemons.standardError)")
        #expect(run(["logs", "uu"], ["GUESTLOG_CONFIG": site.configuration], in: site, name: "kept").text == "hello\n")
    }

    @Test("a configuration that hides which store is meant ends a command, unless an option names it")
    func hiddenStore() throws {
        let (site, _, store) = try prepare()
        let wrong = site.path + "/wrong.yaml"
        FileText.write("store: {}\n", to: wrong)
        for (number, words) in [["rm", "mine"], ["logs", "mine"], ["vms"], ["status"]].enumerated() {
            let command = [Program.guestlog] + words + ["--config", wrong]
            let child = ChildProcess(command, name: "hidden-\(number)", in: site.path)
            #expect(child.wait() == 2, "\(words)")
            #expect(child.standardError.contains("name the store with --store"), "\(words): \(child.standardError)")
        }
        #expect(site.guestlog("vms", "--config", wrong, "--store", store).text.contains("mine"))
    }

    @Test("a command that writes to the store itself uses that of the daemon at the named socket, or refuses")
    func writesDaemonsStore() throws {
        let (site, other, store) = try prepare()
        FileText.write("record\n", to: site.path + "/records")
        let words = ["import", "--format", "none", "--vm", "imported", "--config", other]
        let options = ["--socket", site.socket, site.path + "/records"]
        let child = run(words + options, [:], in: site, name: "import")
        #expect(child.text == "1 records imported\n")
        let file = ["GUESTLOG_CONFIG": site.configuration]
        #expect(run(["logs", "imported"], file, in: site, name: "imported").text == "record\n")
        #expect(access(store + "/imported", F_OK) != 0)
        let both = site.guestlog(words + ["--store", store] + options)
        #expect(both.status == 2 && both.standardError.contains("use one of --store and --socket"))
        let none = site.guestlog(words + ["--socket", site.path + "/none", site.path + "/records"])
        #expect(none.status == 3 && none.standardError.contains("cannot reach the daemon"))
        let named = ["import", "--format", "none", "--vm", "named", "--config", other, site.path + "/records"]
        let daemons = run(named, ["GUESTLOG_SOCKET": site.socket], in: site, name: "named")
        #expect(daemons.text == "1 records imported\n")
        #expect(run(["logs", "named"], file, in: site, name: "stored").text == "record\n")
        #expect(access(store + "/named", F_OK) != 0)
        let refused = site.guestlog("run", "--socket", site.socket, "--", "true")
        #expect(refused.status == 2 && refused.standardError.contains("name that with --store"))
    }

    @Test("a command that writes to the store itself does not replace the daemon that the environment names")
    func absentDaemon() throws {
        let (site, other, store) = try prepare()
        FileText.write("record\n", to: site.path + "/records")
        let environment = ["GUESTLOG_SOCKET": site.path + "/none"]
        let words = ["import", "--format", "none", "--vm", "imported", site.path + "/records"]
        for (number, words) in [words, ["rm", "mine"]].enumerated() {
            let child = ChildProcess(
                [Program.guestlog] + words + ["--config", other],
                name: "away-\(number)",
                in: site.path,
                environment: environment
            )
            #expect(child.wait() == 3, "\(words): \(child.standardError)")
            #expect(child.standardError.contains("cannot reach the daemon"), "\(words): \(child.standardError)")
        }
        #expect(access(store + "/imported", F_OK) != 0)
        // An option goes before the environment.
        for (number, words) in [words, ["rm", "mine"]].enumerated() {
            _ = run(words + ["--store", store], environment, in: site, name: "option-\(number)")
        }
        #expect(access(store + "/imported", F_OK) == 0)
        let daemons = ["GUESTLOG_SOCKET": site.socket]
        let child = ChildProcess(
            [Program.guestlog, "drop", "uu", "--store", store],
            name: "drop",
            in: site.path,
            environment: daemons
        )
        #expect(child.wait() == 2 && child.standardError.contains("not in \(store)"), "\(child.standardError)")
    }

    @Test("a folder that is no store is named, also where the environment names it and no daemon answers")
    func noStore() throws {
        let site = try Site(isServed: false)
        let folder = site.path + "/copy"
        #expect(mkdir(folder, 0o755) == 0)
        FileText.write("", to: folder + "/web")
        let environment = ["GUESTLOG_STORE": folder, "GUESTLOG_SOCKET": site.path + "/none"]
        let child = ChildProcess(
            [Program.guestlog, "logs", "web", "--config", site.configuration],
            name: "none",
            in: site.path,
            environment: environment
        )
        #expect(child.wait() == 3)
        #expect(child.standardError.contains("\(folder) is not a store: it has no file .id"), "\(child.standardError)")
    }

    @Test("a VM that is waited for is looked for without repeating notices")
    func unknownVM() throws {
        let site = try Site()
        FileText.write(FileText.text(site.configuration) + "nonsense: 1\n", to: site.path + "/wrong.yaml")
        for (name, options) in [("store", []), ("socket", ["--socket", site.socket])] {
            let words = ["logs", "-f", "nosuch", "--config", site.path + "/wrong.yaml"] + options
            let child = ChildProcess([Program.guestlog] + words, name: name, in: site.path)
            #expect(child.wait() == 2 && child.standardError.contains("no VM"), "\(child.standardError)")
            let notices = child.standardError.split(separator: "\n").count { $0.contains("only store and socket") }
            #expect(notices == 1, "\(child.standardError)")
        }
    }

    @Test("a store that an option names is read without a notice; a missing one is an error")
    func readsNamedStore() throws {
        let (site, _, store) = try prepare()
        for (number, words) in Self.commands.enumerated() {
            let options = ["--store", store, "--config", site.configuration]
            let child = run(words + options, [:], in: site, name: "option-\(number)")
            #expect(child.text.contains("mine") && !child.text.contains("uu"), "\(words): \(child.text)")
            #expect(child.standardError == "")
            let absent = site.guestlog(words + ["--store", "/nowhere"])
            #expect(absent.status == 3 && absent.standardError.contains("there is no store at /nowhere"), "\(words)")
            let file = site.guestlog(words + ["--store", "/etc/passwd"])
            #expect(file.status == 3 && file.standardError.contains("it is not a folder"), "\(words)")
        }
    }
}
