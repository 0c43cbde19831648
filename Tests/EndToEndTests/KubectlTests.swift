// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The plug-in `kubectl guestlog` with a stand-in for the API server, which the real kubectl reads first.
    @Suite(
        .enabled(
            if: KubernetesClients.folder != nil,
            "needs GUESTLOG_KUBERNETES_CLIENTS: a folder with kubectl and python3 (scripts/test e2e)"
        )
    )
    struct KubectlTests {
        let cluster: StandInCluster

        init() throws {
            cluster = try StandInCluster()
        }

        // MARK: - One VM

        @Test("what the real kubectl reads from the stand-in the plug-in reads too, by the VM's name")
        func logs() {
            cluster.vm()
            cluster.pod("virt-launcher-web-abcde")
            cluster.log("virt-launcher-web-abcde", [("one", 0, 0), ("two", 1, 5), ("", 1, 6), ("three", 2, 0)])
            let real = cluster.beginKubectl("logs", "virt-launcher-web-abcde", "-c", "guest-console-log")
            #expect(real.wait() == 0 && real.text == "one\ntwo\n\nthree\n", "\(real.standardError)")
            let ours = cluster.begin("logs", "web")
            #expect(ours.wait() == 0 && ours.text == real.text, "\(ours.standardError)")
            #expect(ours.standardError.isEmpty)
            let vmi = cluster.begin("logs", "vmi/web", "-n", "shop", "-o", "cri")
            #expect(vmi.wait() == 0 && vmi.text.hasPrefix("2026-08-01T10:00:00.000000000Z stdout F one\n"))
            let real2 = cluster.beginKubectl("logs", "virt-launcher-web-abcde", "--timestamps", "--tail", "2")
            let ours2 = cluster.begin("logs", "web", "-o", "raw", "--tail", "2")
            #expect(real2.wait() == 0 && ours2.wait() == 0)
            #expect(ours2.text == "\nthree\n" && real2.text.contains("02.000000000Z three"))
        }

        @Test("the flags of guestlog logs choose among the lines: pattern, severity, time, boot, head and tail")
        func flags() {
            cluster.pod("a")
            cluster.log(
                "a",
                [
                    ("[    0.000000] Linux version 6.1.0", 0, 0), ("<3>disk error", 10, 0), ("fine", 20, 0),
                    ("[    0.000000] Linux version 6.1.0", 30, 0), ("second boot", 40, 0),
                ]
            )
            func shows(_ words: [String], _ text: String, _ status: Int32 = 0) {
                let call = cluster.begin("logs", "web", words.first ?? "", words.dropFirst().first ?? "--no-prefix")
                #expect(call.wait() == status, "\(words): \(call.standardError)")
                #expect(call.text == text, "\(words)")
            }
            shows(["-g", "fine|second"], "fine\nsecond boot\n")
            shows(["-gdisk", "--after-context=1"], "<3>disk error\nfine\n")
            shows(["--head", "1"], "[    0.000000] Linux version 6.1.0\n")
            shows(["--tail", "1"], "second boot\n")
            shows(["--since", "2026-08-01T10:00:20Z"], "fine\n[    0.000000] Linux version 6.1.0\nsecond boot\n")
            let silent = cluster.begin("logs", "web", "--since", "2026-08-01T11:00:00Z")
            #expect(silent.wait() == 0)
            #expect(silent.standardError == "guestlog: nothing was logged in the requested time\n")
            shows(["-b", "-1"], "[    0.000000] Linux version 6.1.0\n<3>disk error\nfine\n")
            shows(["-g", "nothing like it"], "", 1)
            let boots = cluster.begin("boots", "web", "-o", "json")
            #expect(boots.wait() == 0 && boots.text.split(separator: "\n").count == 2, "\(boots.text)")
        }

        @Test("a VM name of 80 characters is found by the annotation: labels have at most 63")
        func longName() {
            let name = String(repeating: "n", count: 80)
            cluster.pod("a", of: name)
            cluster.log("a", "found", at: 0)
            let call = cluster.begin("logs", name)
            #expect(call.wait() == 0 && call.text == "found\n", "\(call.standardError)")
            #expect(!cluster.requests.contains { $0.contains("nnn") })
        }

        @Test("VMs are named as kubectl prints and takes them, and a pod's name is told from a VM's")
        func kinds() {
            cluster.pod("virt-launcher-web-abcde")
            cluster.log("virt-launcher-web-abcde", "x", at: 0)
            for name in ["virtualmachine.kubevirt.io/web", "vms/web", "virtualmachineinstances/web"] {
                let call = cluster.begin("logs", name)
                #expect(call.wait() == 0 && call.text == "x\n", "\(name): \(call.standardError)")
            }
            #expect(cluster.begin("logs", "vm", "web").wait() == 0)
            for name in ["virt-launcher-web-abcde", "pod/virt-launcher-web-abcde"] {
                let call = cluster.begin("logs", name)
                #expect(call.wait() == 2 && call.standardError.contains("is a pod of the VM web: name the VM"))
            }
        }

        @Test("the log of the container's previous run is asked for with -p, as by kubectl")
        func previous() {
            cluster.pod("a")
            cluster.log("a", "x", at: 0)
            #expect(cluster.begin("logs", "web", "-p").wait() == 0)
            #expect(cluster.requests.contains { $0.contains("/log?") && $0.contains("previous=true") })
        }

        @Test("every example of docs/kubevirt.md works as a plug-in of the real kubectl")
        func documentation() {
            cluster.pod("a", of: "testvm", namespace: "simone", labels: #","app":"web""#)
            cluster.log(
                "a",
                [
                    ("[    0.000000] Linux version 6.1.0", 0, 0), ("an error", 10, 0),
                    ("[    0.000000] Linux version 6.1.0", 30, 0), ("<3>[    1.000000] disk error", 40, 0),
                ]
            )
            let text = FileText.text(Program.repository + "/docs/kubevirt.md")
            let lines = text.split(separator: "\n").filter { $0.hasPrefix("$ kubectl guestlog ") }
            #expect(lines.count > 4)
            for line in lines {
                // The stand-in's log is older than ten minutes.
                let words = line.dropFirst("$ kubectl ".count).replacing("--since 10m", with: "--since 2026-08-01")
                let call = cluster.beginKubectl(shell: words)
                guard line.hasSuffix(" -f") else {
                    #expect(call.wait() == 0 && !call.output.isEmpty, "\(line): \(call.text) \(call.standardError)")
                    continue
                }
                #expect(eventually { !call.output.isEmpty }, "\(line): \(call.standardError)")
                call.stop(SIGINT)
            }
        }

        // MARK: - VMs without a log

        @Test("a VM without a log: what decides is said, and the remedy")
        func off() {
            func explanation(_ devices: String) -> String {
                cluster.vm(devices: devices)
                cluster.pod("a", container: nil)
                let call = cluster.begin("logs", "web")
                #expect(call.wait() == 0 && call.text.isEmpty)
                return call.standardError
            }
            #expect(explanation(#""logSerialConsole":false"#).contains("logSerialConsole is false"))
            #expect(explanation(#""autoattachSerialConsole":false"#).contains("it has no serial console"))
            #expect(explanation("").contains("its pod has no container guest-console-log"))
        }

        @Test("a VM that is not running, and one that does not exist")
        func absent() {
            cluster.vm(isRunning: false)
            let stopped = cluster.begin("logs", "web")
            #expect(stopped.wait() == 0 && stopped.standardError.contains("is not running; use -f"))
            let unknown = cluster.begin("logs", "wbe")
            #expect(unknown.wait() == 2 && unknown.standardError.contains("there is no VM wbe in the namespace shop"))
        }

        // MARK: - Several VMs

        @Test("all VMs, or those with labels, are merged by time and prefixed")
        func several() {
            cluster.pod("a", of: "web", labels: #","app":"x""#)
            cluster.pod("b", of: "db", namespace: "other", instance: "2")
            cluster.log("a", [("one", 0, 0), ("three", 2, 0)])
            cluster.log("b", "two", at: 1)
            let all = cluster.begin("logs", "-A")
            #expect(all.wait() == 0, "\(all.standardError)")
            #expect(all.text == "[web/console0] one\n[db/console0] two\n[web/console0] three\n")
            let some = cluster.begin("logs", "-A", "-l", "app=x")
            #expect(some.wait() == 0 && some.text == "one\nthree\n", "\(some.standardError)")
            let none = cluster.begin("logs", "-l", "app=y")
            #expect(none.wait() == 0 && none.standardError.contains("no VM with these labels"))
        }

        // MARK: - Live migration

        @Test("over a live migration the logs of both pods are one, with a boundary that names the target")
        func migration() {
            cluster.pod("target", created: "2026-08-01T11:00:00Z")
            cluster.pod("source", phase: "Succeeded")
            cluster.log("source", [("1", 0, 0), ("2", 1, 0)])
            cluster.log("target", "3", at: 2)
            let call = cluster.begin("logs", "web", "--markers")
            #expect(call.wait() == 0, "\(call.standardError)")
            #expect(call.text == "-- boot 1: power-on --\n1\n2\n-- continued by target on node-target --\n3\n")
        }

        @Test("a live migration while it is followed: the target's lines come after the source's last ones")
        func followedMigration() {
            cluster.pod("source")
            cluster.log("source", "1", at: 0)
            let call = cluster.begin("logs", "web", "-f", "--markers")
            #expect(eventually { call.text.hasSuffix("1\n") }, "\(call.standardError)")
            cluster.pod("target", created: "2026-08-01T11:00:00Z")
            cluster.log("target", "3", at: 2)
            #expect(eventually { cluster.requests.contains { $0.contains("pods/target/log") } })
            cluster.log("source", "2", at: 1)
            cluster.pod("source", phase: "Succeeded")
            #expect(
                eventually { call.text.hasSuffix("2\n-- continued by target on node-target --\n3\n") },
                "\(call.text)"
            )
            cluster.log("target", "4", at: 3)
            #expect(eventually { call.text.hasSuffix("3\n4\n") })
            call.signal(SIGINT)
            #expect(call.wait() == 130)
        }

        // MARK: - Access

        @Test("a token, a program that makes one, and a wrong one")
        func tokens() throws {
            cluster.pod("a")
            cluster.log("a", "x", at: 0)
            let path = cluster.folder.path
            FileText.write("secret", to: path + "/token")
            let refused = cluster.begin("logs", "web")
            #expect(refused.wait() == 2 && refused.standardError.contains("Unauthorized"), "\(refused.standardError)")
            #expect(cluster.begin("logs", "web", "--token", "secret").wait() == 0)
            try ProgramFile.write(
                """
                #!/bin/sh
                test -n "$KUBERNETES_EXEC_INFO" -a "$1 $NAME" = "get value" || exit 3
                echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"secret"}}'

                """,
                to: path + "/credentials"
            )
            let user = """
                {exec: {apiVersion: client.authentication.k8s.io/v1, command: ./credentials, args: [get], \
                env: [{name: NAME, value: value}], interactiveMode: Never}}
                """
            let server = "http://127.0.0.1:\(cluster.port)"
            FileText.write(cluster.configuration(server: server, user: user), to: path + "/exec-config")
            let call = cluster.begin("logs", "web", "--kubeconfig", path + "/exec-config")
            #expect(call.wait() == 0 && call.text == "x\n", "\(call.standardError)")
            try ProgramFile.write("#!/bin/sh\nexit 1\n", to: path + "/credentials")
            let failed = cluster.begin("logs", "web", "--kubeconfig", path + "/exec-config")
            #expect(failed.wait() == 2 && failed.standardError.contains("credentials failed: it ended with status 1"))
        }

        @Test("over TLS the server is verified, and a client certificate is presented")
        func clientCertificate() throws {
            let folder = TemporaryFolder()
            for name in ["server", "client"] {
                mkdir(folder.path + "/" + name, 0o755)
                Certificate.make(name, in: folder.path + "/" + name)
            }
            let (own, client) = (folder.path + "/server/", folder.path + "/client/")
            let secure = try StandInCluster(tls: [own + "tls.crt", own + "tls.key", client + "tls.crt"])
            secure.pod("a")
            secure.log("a", "x", at: 0)
            func configure(_ cluster: String, _ user: String) {
                let text = secure.configuration(
                    server: "https://127.0.0.1:\(secure.port)",
                    cluster: cluster,
                    user: user
                )
                FileText.write(text, to: secure.folder.path + "/config")
            }
            let user = "{client-certificate: '\(client)tls.crt', client-key: '\(client)tls.key'}"
            configure(", certificate-authority: '\(own)tls.crt'", user)
            let call = secure.begin("logs", "web")
            #expect(call.wait() == 0 && call.text == "x\n", "\(call.standardError)")
            configure(", certificate-authority: '\(client)tls.crt'", user)
            let untrusted = secure.begin("logs", "web")
            #expect(untrusted.wait() == 3 && untrusted.standardError.contains("TLS"), "\(untrusted.standardError)")
            configure(", insecure-skip-tls-verify: true", "{}")
            #expect(secure.begin("logs", "web").wait() == 3)
        }

        @Test("what is wrong in the configuration is named")
        func configuration() {
            let path = cluster.folder.path
            let context = cluster.begin("logs", "web", "--context", "none")
            #expect(
                context.wait() == 2 && context.standardError.contains("no context none")
                    && context.standardError.contains("test")
            )
            let missing = cluster.begin("logs", "web", "--kubeconfig", path + "/none")
            #expect(missing.wait() == 2 && missing.standardError.contains("/none cannot be read"))
            let none = cluster.begin("logs", "web", environment: ["KUBECONFIG": path + "/nonexistent"])
            #expect(none.wait() == 2 && none.standardError.contains("no API server is configured"))
            let down = cluster.begin("logs", "web", "--server", "http://127.0.0.1:1")
            #expect(down.wait() == 3 && down.standardError.contains("127.0.0.1:1"), "\(down.standardError)")
        }

        @Test("nothing of a log remains in the temporary folder, after a signal either")
        func temporary() throws {
            cluster.pod("a")
            cluster.log("a", "x", at: 0)
            let call = cluster.begin("logs", "web", "-f")
            #expect(eventually { call.text == "x\n" })
            #expect(!leftovers.isEmpty)
            // The thread that waits for signals sleeps.
            let tasks = "/proc/\(call.process)/task"
            let waiting = FileText.names(in: tasks).first { FileText.procText("\(tasks)/\($0)/comm") == "signals\n" }
            let state = "\(tasks)/\(try #require(waiting))/stat"
            #expect(eventually { FileText.procText(state).contains(" S ") })
            call.signal(SIGINT)
            #expect(call.wait() == 130 && leftovers.isEmpty)
            #expect(cluster.begin("logs", "web").wait() == 0 && leftovers.isEmpty)
        }

        @Test("nothing of a log remains in the temporary folder when the reader of the output has gone")
        func reader() {
            cluster.pod("a")
            cluster.log("a", "x", at: 0)
            let call = cluster.beginKubectl(shell: "guestlog logs web -f | head -1")
            #expect(call.wait() == 0 && call.text == "x\n", "\(call.standardError)")
            #expect(leftovers.isEmpty)
        }

        @Test("what a killed command left is removed, and nothing that another user could have put in its place")
        func abandoned() throws {
            cluster.pod("a")
            cluster.log("a", "x", at: 0)
            let folder = cluster.folder.path
            let fileSystem = LinuxFileSystem()
            func make(_ name: String, permissions: UInt32) throws {
                let path = folder + "/" + name
                try fileSystem.makeDirectory(path)
                try fileSystem.makeDirectory(path + "/store")
                try fileSystem.replace("lock", in: path, with: [])
                try fileSystem.replace("file", in: path + "/store", with: [])
                chmod(path, permissions)
            }
            try make("guestlog-kubectl-killed", permissions: 0o700)
            try make("guestlog-kubectl-others", permissions: 0o777)
            try make("other", permissions: 0o700)
            symlink(folder + "/other", folder + "/guestlog-kubectl-link")
            symlink(folder + "/other", folder + "/guestlog-kubectl-killed/link")
            let call = cluster.begin("logs", "web")
            #expect(call.wait() == 0 && call.text == "x\n", "\(call.standardError)")
            #expect(leftovers.sorted() == ["guestlog-kubectl-link", "guestlog-kubectl-others"])
            #expect(try fileSystem.names(in: folder + "/other").sorted() == ["lock", "store"])
            #expect(try fileSystem.names(in: folder + "/other/store") == ["file"])
        }

        private var leftovers: [String] {
            ((try? LinuxFileSystem().names(in: cluster.folder.path)) ?? []).filter { $0.hasPrefix("guestlog-kubectl-") }
        }
    }
}
