// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

/// The folders of a node, in which tests play kubelet, virtlogd and virt-launcher.
final class NodeFixture {
    private let folder = TemporaryFolder()
    static let instance = "bf9afcc1-fe55-4f63-919a-807b59efff76"

    init() {
        mkdir(pods, 0o750)
        mkdir(logs, 0o755)
    }

    var pods: String { folder.path + "/pods" }
    var logs: String { folder.path + "/logs" }

    /// A pod's UID.
    static func uid(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return "00000000-0000-4000-8000-" + String(repeating: "0", count: 12 - digits.utf8.count) + digits
    }

    private func volume(_ pod: String) -> String { "\(pods)/\(pod)/volumes/kubernetes.io~empty-dir/private" }
    func console(_ pod: String, _ instance: String = instance) -> String {
        "\(volume(pod))/\(instance)/virt-serial0-log"
    }

    private func make(_ path: String) {
        var made = ""
        for name in path.split(separator: "/") {
            made += "/" + name
            mkdir(made, 0o755)
        }
    }

    func append(_ text: String, to path: String) {
        make(DirectoryHandle.split(path).directory)
        let file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
        let bytes = Array(text.utf8)
        #expect(write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    /// virtlogd appends to the console's log, in the volume that the kubelet has made for the pod.
    func print(_ text: String, on pod: String, _ instance: String = instance) {
        append(text, to: console(pod, instance))
    }

    /// virt-launcher writes a line.
    func launch(_ line: String, in pod: String, named name: String) {
        append(line, to: "\(logs)/\(name)_\(pod)/compute/0.log")
    }

    /// libvirt appends to QEMU's log.
    func machine(_ line: String, in pod: String, named name: String) {
        append(line, to: "\(volume(pod))/libvirt/qemu/log/\(name).log")
    }

    /// The kubelet removes the folders of a pod.
    func delete(_ pod: String) {
        let removed = ChildProcess(["rm", "-r", pods + "/" + pod], name: "rm-\(pod.suffix(3))", in: folder.path)
        #expect(removed.wait() == 0)
    }
}

extension EndToEnd {
    /// The node daemon: `guestlog serve` with `kubevirt:`.
    @Suite struct NodeDaemonTests {
        private let node = NodeFixture()

        private func site(_ extra: String = "node: none") throws -> Site {
            try Site(
                extra: "libvirt: {socket: none}\nkubevirt: {pods: '\(node.pods)', pod-logs: '\(node.logs)', \(extra)}",
                consoles: { _ in "" }
            )
        }

        private func logs(_ site: Site, _ words: String...) -> String {
            site.guestlog(["logs"] + words + ["--color", "never"]).text
        }

        private static let line = """
            2026-08-01T10:00:00.200000000Z stderr F {"component":"virt-launcher","kind":"","level":"info",\
            "msg":"Domain name event: simone_web","name":"web","namespace":"simone","pos":"client.go:424",\
            "timestamp":"2026-08-01T10:00:00.123456Z","uid":"u"}

            """

        @Test("without the API: console, virt-launcher and QEMU, through rotation, restart and the pod's deletion")
        func offline() throws {
            let pod = NodeFixture.uid(1)
            let name = "simone_virt-launcher-web-abcde"
            let site = try site()
            node.launch(Self.line, in: pod, named: name)
            node.print("[    0.000000] Linux version 6.1.0\nlogin: ", on: pod)
            #expect(eventually { logs(site, "simone/web", "-s", "console0", "-o", "raw").hasSuffix("login: ") })
            node.machine("2026-08-01 10:00:00.000+0000: starting up\n", in: pod, named: "simone_web")
            #expect(eventually { logs(site, "simone/web", "-s", "qemu").contains("starting up") })
            func record() -> String { logs(site, "simone/web", "-s", "virt-launcher", "-o", "json") }
            #expect(eventually { record().contains("client.go:424") })
            let record = record()
            #expect(record.contains("Domain name event: simone_web"), "\(record)")
            #expect(record.contains("2026-08-01T10:00:00.123456"), "\(record)")
            #expect(logs(site, "simone/web", "--severity", "info", "-s", "virt-launcher").contains("Domain name"))

            site.stop(SIGKILL)
            node.print("root\n", on: pod)
            rename(node.console(pod), node.console(pod) + ".0")
            node.print("more\n", on: pod)
            try site.start()
            #expect(
                eventually { logs(site, "simone/web", "-s", "console0", "-o", "raw").hasSuffix("login: root\nmore\n") }
            )

            // Last words, which are there for no longer than the folder.
            node.print("last words\n", on: pod)
            node.delete(pod)
            #expect(eventually { logs(site, "simone/web", "-s", "console0").contains("last words") })
            let next = NodeFixture.uid(2)
            node.launch(Self.line, in: next, named: name)
            node.print("[    0.000000] Linux version 6.1.0\n", on: next, "cf9afcc1-fe55-4f63-919a-807b59efff76")
            #expect(
                eventually { site.guestlog("boots", "simone/web", "-o", "json").text.split(separator: "\n").count == 2 }
            )
            #expect(logs(site, "simone/web", "-s", "console0", "-b", "-1").contains("last words"))
            #expect(logs(site, "simone/web", "--markers").contains("continued by virt-launcher-web-abcde"))
            #expect(!logs(site, "simone/web", "-s", "console0", "--markers").contains(" lost "))
            documentation(site)
            #expect(site.guestlog("vms").text.split(separator: "\n").count == 2, "\(site.guestlog("vms").text)")
        }

        /// The commands of docs/kubevirt.md that are run in the daemon's pod.
        private func documentation(_ site: Site) {
            let text = FileText.text(Program.repository + "/docs/kubevirt.md")
            let commands = text.matches(of: #/\$ kubectl exec -n guestlog-node ds/guestlog-node -- guestlog (.*)/#)
            #expect(commands.count >= 3)
            for command in commands {
                let words = command.1.replacing("testvm", with: "web").split(separator: " ").map(String.init)
                let answer = site.guestlog(words, by: .socket)
                #expect(answer.status == 0 && !answer.text.isEmpty, "\(command.0): \(answer.standardError)")
            }
        }

        @Test("a console's socket is never connected to: its one client stays")
        func socket() throws {
            let pod = NodeFixture.uid(1)
            node.launch(Self.line, in: pod, named: "simone_virt-launcher-web-abcde")
            node.print("one\n", on: pod)
            // A socket's path has 107 bytes at most.
            let folder = DirectoryHandle.split(node.console(pod)).directory
            let listening = ["sh", "-c", "cd '\(folder)' && exec socat -u UNIX-LISTEN:virt-serial0 -"]
            let server = ChildProcess(listening, name: "qemu", in: node.pods)
            #expect(eventually { access(folder + "/virt-serial0", F_OK) == 0 })
            let site = try site()
            #expect(eventually { logs(site, "simone/web").contains("one") })
            // A server for one client: ended if the daemon had been it.
            #expect(!server.hasEnded)
            server.stop()
        }

        @Test(
            "with the API, a VM of 80 characters is named; a pod without the container is reported until it is gone",
            .enabled(if: KubernetesClients.folder != nil, "needs GUESTLOG_KUBERNETES_CLIENTS")
        )
        func withAPI() throws {
            let cluster = try StandInCluster()
            let name = String(repeating: "n", count: 80)
            let pod = NodeFixture.uid(3)
            node.print("found\n", on: pod)
            let site = try site("node: n1, kubeconfig: '\(cluster.folder.path)/config'")
            cluster.pod("virt-launcher-n", of: name, uid: pod)
            #expect(eventually { logs(site, "shop/" + name).contains("found") }, "\(site.daemon?.standardError ?? "")")
            #expect(cluster.requests.contains { $0.contains("fieldSelector=spec.nodeName%3Dn1") })

            cluster.vm(isRunning: true)
            cluster.pod("virt-launcher-web", uid: NodeFixture.uid(4), container: nil)
            func problems() -> String { site.guestlog("status", by: .socket).text }
            #expect(eventually { problems().contains("problem: pod shop/virt-launcher-web: ") }, "\(problems())")
            #expect(problems().contains("guest-console-log"))
            cluster.removePod("virt-launcher-web")
            #expect(eventually { !problems().contains("problem:") }, "\(problems())")
        }

        @Test("an API server that cannot be reached is reported")
        func unreachable() throws {
            let folder = TemporaryFolder()
            let config = folder.path + "/config"
            let text = """
                clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
                contexts: [{name: c, context: {cluster: c}}]
                current-context: c

                """
            FileText.write(text, to: config)
            let site = try site("node: n1, kubeconfig: '\(config)'")
            func problems() -> String { site.guestlog("status", by: .socket).text }
            #expect(eventually { problems().contains("the pods of this node are not known") }, "\(problems())")
            #expect(problems().contains("127.0.0.1:1"))
        }

        @Test(
            "while the API does not answer, the log goes under the VM's UID, and its name is known later",
            .enabled(
                if: KubernetesClients.folder != nil && Program.variable("GUESTLOG_NODE_OUTAGE") != nil,
                "takes 10 s: GUESTLOG_NODE_OUTAGE=1, with GUESTLOG_KUBERNETES_CLIENTS"
            )
        )
        func renamed() throws {
            let cluster = try StandInCluster()
            FileText.write("secret", to: cluster.folder.path + "/token")
            let pod = NodeFixture.uid(5)
            node.print("one\n", on: pod)
            let site = try site("node: n1, kubeconfig: '\(cluster.folder.path)/config'")
            #expect(eventually { logs(site, NodeFixture.instance).contains("one") })
            #expect(site.guestlog("status", by: .socket).text.contains("Unauthorized"))
            cluster.pod("virt-launcher-web", uid: pod)
            unlink(cluster.folder.path + "/token")
            #expect(eventually { logs(site, "shop/web").contains("one") }, "\(site.guestlog("vms").text)")
            node.print("two\n", on: pod)
            #expect(eventually { logs(site, "shop/web").hasSuffix("one\ntwo\n") })
            #expect(site.guestlog("vms").text.split(separator: "\n").count == 2)
        }

        @Test(
            "as root without capabilities but CAP_DAC_READ_SEARCH, it reads files of mode 0600 of another user",
            .enabled(if: geteuid() == 0, "needs root")
        )
        func capability() throws {
            let pod = NodeFixture.uid(6)
            node.launch(Self.line, in: pod, named: "simone_virt-launcher-web-abcde")
            node.print("secret of 107\n", on: pod)
            let path = node.console(pod)
            chown(path, 107, 107)
            chown(DirectoryHandle.split(path).directory, 107, 107)
            chmod(DirectoryHandle.split(path).directory, 0o700)
            let site = try Site(
                extra:
                    "libvirt: {socket: none}\nkubevirt: {pods: '\(node.pods)', pod-logs: '\(node.logs)', node: none}",
                consoles: { _ in "" },
                isServed: false
            )
            let capabilities = ["setpriv", "--bounding-set=-all,+dac_read_search", "--inh-caps=-all", "--no-new-privs"]
            try site.start(under: capabilities)
            #expect(
                eventually { logs(site, "simone/web").contains("secret of 107") },
                "\(site.daemon?.standardError ?? "")"
            )
            site.stop()
            site.launch(under: ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"])
            #expect(eventually { site.daemon?.standardError.contains("Permission denied") == true })
        }

        // MARK: - Costs

        private static let finished = Program.variable("GUESTLOG_FINISHED_FILES").flatMap { Int($0) } ?? 30
        private static let live = 10

        private func instance(_ number: Int) -> String {
            "bf9afcc1" + NodeFixture.uid(number).dropFirst(8)
        }

        /// The console of the pod of that number gets text, and the pod its log folder.
        private func print(_ text: String, on number: Int) {
            node.print(text, on: NodeFixture.uid(number), instance(number))
        }

        @Test("finished consoles cost no descriptor and no wake, however many: only one that is written is looked at")
        func finishedConsoles() throws {
            for number in 1...Self.finished + Self.live {
                mkdir("\(node.logs)/simone_virt-launcher-vm\(number)-abcde_\(NodeFixture.uid(number))", 0o755)
                print("text \(number)\n", on: number)
            }
            let site = try site()
            let process = try #require(site.serving)
            func isStored(_ text: String, _ number: Int) throws -> Bool {
                try site.stored("simone.vm\(number)").bytes.suffix(100).firstRange(of: Array(text.utf8)) != nil
            }
            for number in 1...Self.finished + Self.live {
                #expect(try eventually(within: 600) { try isStored("text \(number)\n", number) })
            }
            func costs(_ name: String) throws -> ThreadCosts { try #require(ThreadCosts(ofThread: name, in: process)) }
            #expect(try eventually { try costs("source-files").isIdle && costs("kubevirt").isIdle })
            #expect(ThreadCosts.openFiles(of: process, below: node.pods) <= 200)
            let first = Self.finished + 1
            for number in first..<first + Self.live {
                print("again\n", on: number)
                #expect(try eventually { try isStored("again\n", number) })
            }
            #expect(try eventually { try costs("source-files").isIdle })
            let (files, pods) = (try costs("source-files"), try costs("kubevirt"))
            for round in 1...10 {
                print("round \(round)\n", on: first + round - 1)
                #expect(try eventually { try isStored("round \(round)\n", first + round - 1) })
            }
            let after = try costs("source-files")
            // Of each change: a wake, a read of the event and two of the file, and one wake at the end of the pause.
            #expect(after.wakes - files.wakes <= 60 && after.reads - files.reads <= 100, "\(files) \(after)")
            #expect(try costs("kubevirt").wakes == pods.wakes)
            // A console that was closed is opened again.
            print("late\n", on: 1)
            #expect(try eventually { try isStored("late\n", 1) })
        }
    }
}
