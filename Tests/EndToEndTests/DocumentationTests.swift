// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

extension EndToEnd {
    /// The command lines in the documents.
    @Suite struct DocumentationTests {
        /// A command line and its exit status: 0 unless "exits N" follows it.
        private struct Example {
            var line: String
            var status: Int32

            /// The words of the command, approximately, for finding commands and options.
            var words: [String] { line.split(separator: " ").map { String($0) } }
            var isEndless: Bool {
                (words[1] == "serve" && !words.contains("--check-config")) || words.contains("webhook")
                    || words.contains("-f") || isSession
            }
            /// Whether it joins a console, and stays there.
            var isSession: Bool { words[1] == "console" && status == 0 }
        }

        /// The lines that begin with `$ guestlog` in the console blocks of `file`.
        private static func examples(in file: String) -> [Example] {
            var isConsole = false
            var found: [Example] = []
            for line in FileText.text(Program.repository + "/" + file).split(separator: "\n") {
                if line.hasPrefix("```") {
                    isConsole = line == "```console"
                } else if isConsole, line.hasPrefix("$ guestlog ") {
                    let parts = line.dropFirst(2).split(separator: " #", maxSplits: 1)
                    let text = parts[0].replacing(#/[ &]+$/#, with: "")
                    let status = parts.dropFirst().first?.firstMatch(of: #/exits (\d+)/#).flatMap { Int32($0.1) }
                    found.append(Example(line: String(text), status: status ?? 0))
                }
            }
            return found
        }

        /// A site with a VM `web` that was switched off once and waits for a login, and a VM `build`.
        private func prepare() throws -> (site: Site, guest: Guest) {
            let site = try Site()
            let image = try #require(GuestImage.folder)
            symlink(image + "/vmlinuz", site.path + "/vmlinuz")
            symlink(image + "/initrd.gz", site.path + "/initrd.gz")
            FileText.write("max_size = 1048576\n", to: site.path + "/vms/virtlogd.conf")
            let serial = "<serial type='pty'><target port='0'/></serial>"
            let domain = "<domain><name>web</name><devices>\(serial)</devices></domain>\n"
            FileText.write(domain, to: site.path + "/vms/web.xml")
            prepareKubeVirt(in: site.path)
            let socket = site.path + "/vms/web.sock"
            let first = Guest("web", words: "glogin=0 gpoweroff=1", chardev: .server(socket), in: site.path)
            #expect(first.hasSwitchedOff())
            #expect(try eventually { try site.stored("web").boots.last?.event == .closed })
            let second = Guest("web", chardev: .server(socket), in: site.path)
            #expect(eventually { site.guestlog("logs", "web", "-b", "0", "-g", "GUEST-READY").status == 0 })
            return (site, second)
        }

        /// The objects of KubeVirt in the examples, and the webhook's files.
        private func prepareKubeVirt(in folder: String) {
            let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"
            let socket = "/var/run/kubevirt-private/\(uid)/virt-serial0"
            let files = [
                "vmi.json": #"{"metadata":{"uid":"\#(uid)"},"spec":{"domain":{"devices":{"logSerialConsole":true}}}}"#,
                "domain.xml": """
                <domain><name>vm</name><devices><serial type='unix'><source mode='bind' path='\(socket)'/></serial></devices></domain>
                """,
                "pod.json": """
                {"metadata":{"labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(uid)"}},
                 "spec":{"containers":[{"name":"compute","image":"i"}],"volumes":[{"name":"private"}]}}
                """,
                "kubeconfig": """
                {current-context: a, contexts: [{name: a, context: {cluster: a}}],
                 clusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]}
                """,
            ]
            for (name, text) in files {
                FileText.write(text, to: folder + "/" + name)
            }
            Certificate.make("webhook", in: folder)
        }

        /// `line` with its paths moved into `site`.
        private func relocated(_ line: String, in site: Site) -> String {
            line.replacing("/etc/guestlog/guestlog.yaml", with: site.configuration)
                .replacing("/run/guestlog/guestlog.sock", with: site.socket)
                .replacing("/var/lib/guestlog", with: site.path + "/store")
                .replacing("/run/vms", with: site.path + "/vms")
        }

        private func run(_ example: Example, on site: Site, number: Int) {
            let folder = Program.guestlog.lastIndex(of: "/").map { String(Program.guestlog[..<$0]) } ?? "."
            let shell = ["sh", "-c", (example.isEndless ? "exec " : "") + relocated(example.line, in: site)]
            let environment = [
                "PATH": folder + ":" + (Program.variable("PATH") ?? ""), "GUESTLOG_CONFIG": site.configuration,
            ]
            if example.isSession {
                let console = TerminalSession(["env"] + environment.map { "\($0.key)=\($0.value)" } + shell)
                #expect(console.shows("connected to"), "\(example.line)")
                console.type(example.words.contains("^A") ? "\u{1}" : "\u{1d}")
                #expect(console.wait() == 0, "\(example.line)")
                return
            }
            let child = ChildProcess(shell, name: "example-\(number)", in: site.path, environment: environment)
            if example.isEndless {
                #expect(
                    eventually { !child.output.isEmpty || child.standardError.contains("serves") },
                    "\(example.line)"
                )
                #expect(!child.hasEnded, "\(example.line): \(child.standardError)")
                child.stop(SIGINT)
                return
            }
            #expect(child.wait() == example.status, "\(example.line): \(child.standardError)")
        }

        @Test("every command line in the README and docs/cli.md has the documented result")
        func examplesWork() throws {
            let (site, guest) = try prepare()
            // A separate daemon for the lines that start one.
            let other = try Site(isServed: false)
            let examples = Self.examples(in: "docs/cli.md") + Self.examples(in: "README.md")
            #expect(examples.count > 40)
            for (number, example) in examples.enumerated() {
                run(example, on: example.words[1] == "serve" ? other : site, number: number)
            }
            guest.stop()
        }

        @Test("docs/cli.md has an example of every command and of every option")
        func examplesAreComplete() throws {
            let folder = TemporaryFolder()
            let help = ChildProcess([Program.guestlog, "--experimental-dump-help"], name: "help", in: folder.path)
            #expect(help.wait() == 0)
            let root = try #require(try JSON(parsing: help.output)["command"])
            let examples = Self.examples(in: "docs/cli.md").map(\.words)
            let common: Set = ["store", "socket", "config"]
            for name in common {
                #expect(examples.contains { $0.contains("--" + name) })
            }
            check(root, path: ["guestlog"], common, examples)
        }

        private func check(_ command: JSON, path: [String], _ common: Set<String>, _ examples: [[String]]) {
            let subcommands = (command["subcommands"]?.elements ?? []).filter { $0["commandName"]?.text != "help" }
            for subcommand in subcommands {
                check(subcommand, path: path + [subcommand["commandName"]?.text ?? ""], common, examples)
            }
            guard subcommands.isEmpty else {
                return
            }
            let own = examples.filter { $0.starts(with: path) }
            #expect(!own.isEmpty, "no example of \(path.joined(separator: " "))")
            for argument in command["arguments"]?.elements ?? [] where argument["kind"]?.text != "positional" {
                let names = (argument["names"]?.elements ?? []).compactMap { $0["name"]?.text }
                guard common.union(["help", "version"]).isDisjoint(with: names) else {
                    continue
                }
                let shown = names.contains { name in
                    own.contains { $0.contains((name.count == 1 ? "-" : "--") + name) }
                }
                #expect(shown, "no example of \(path.joined(separator: " ")) with \(names)")
            }
        }
    }
}
