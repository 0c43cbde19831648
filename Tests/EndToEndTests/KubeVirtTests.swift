// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The commands `guestlog kubevirt …`, and the webhook with a real TLS client.
    @Suite struct KubeVirtTests {
        private static let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"
        private let folder = TemporaryFolder()

        private func run(_ words: [String], input: String = "", program: String = Program.guestlog) -> ChildProcess {
            let child = ChildProcess([program] + words, name: "c\(Int.random(in: 0..<1_000_000))", in: folder.path)
            child.send(input)
            child.closeInput()
            return child
        }

        // MARK: - The hook

        private static let instance = #"{"metadata":{"uid":"\#(uid)"},"spec":{"domain":{"devices":{}}}}"#
        private static let domain = """
            <domain type="kvm"><name>ns_vm</name><devices><serial type="unix"><target port="0"/>\
            <source mode="bind" path="/var/run/kubevirt-private/\(uid)/virt-serial0"/></serial></devices></domain>
            """

        @Test("by the name onDefineDomain it is called as KubeVirt's sidecar-shim calls hooks, and adds the log")
        func hook() throws {
            let program = folder.path + "/onDefineDomain"
            symlink(Program.guestlog, program)
            let hook = run(["--vmi", Self.instance, "--domain", Self.domain], program: program)
            #expect(hook.wait() == 0, "\(hook.standardError)")
            #expect(hook.text.contains("/virt-serial0-log' append='on'/>") && hook.standardError.isEmpty)
            let again = run(["--vmi", Self.instance, "--domain", hook.text], program: program)
            #expect(again.wait() == 0 && again.text == hook.text)
        }

        @Test("the hook prints a domain that it cannot change as it is, says why, and succeeds")
        func hookFails() throws {
            let hook = run(["kubevirt", "on-define-domain", "--vmi", "{", "--domain", Self.domain])
            #expect(hook.wait() == 0)
            #expect(hook.text == Self.domain && hook.standardError.contains("cannot be logged"))
        }

        // MARK: - The pod

        private static let pod = """
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"virt-launcher-vm","namespace":"ns",
              "labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(uid)"}},
             "spec":{"containers":[{"name":"compute","image":"kubevirt/virt-launcher"}],
              "volumes":[{"name":"private","emptyDir":{}}]}}
            """

        @Test("a pod is patched when its VM is to be logged, and left as it is when not")
        func patch() throws {
            FileText.write(Self.instance, to: folder.path + "/vmi.json")
            let on = run(["kubevirt", "patch", "--vmi", "vmi.json", "--image", "ours"], input: Self.pod)
            #expect(on.wait() == 0, "\(on.standardError)")
            let operations = try #require(try JSON(parsing: on.output).elements)
            #expect(operations.first?["value"]?.elements?.first?["image"]?.text == "ours")
            let off = run(
                ["kubevirt", "patch", "--vmi", "vmi.json", "--cluster-default", "off"],
                input: Self.pod
            )
            #expect(off.wait() == 0 && off.text == "[]\n" && off.standardError.contains("disableSerialConsoleLog"))
        }

        @Test("a pod that is not JSON, and a file that is not there, are named")
        func patchFails() throws {
            let malformed = run(["kubevirt", "patch"], input: "{")
            #expect(malformed.wait() == 2 && malformed.standardError.contains("standard input: not JSON"))
            let missing = run(["kubevirt", "patch", "--vmi", "none.json"], input: Self.pod)
            #expect(missing.wait() == 2 && missing.standardError.contains("none.json cannot be opened: No such file"))
        }

        // MARK: - The webhook

        /// Starts the webhook with the certificate that `..data` leads to; returns it and its URL.
        private func webhook() throws -> (webhook: ChildProcess, url: String) {
            let words = ["kubevirt", "webhook", "--listen", "127.0.0.1:0", "--image", "ours", "--verbose"]
            let files = ["--certificate", folder.path + "/tls/tls.crt", "--key", folder.path + "/tls/tls.key"]
            let webhook = ChildProcess([Program.guestlog] + words + files, name: "webhook", in: folder.path)
            #expect(eventually { webhook.standardError.contains("serves at") || webhook.hasEnded })
            let match = try #require(webhook.standardError.firstMatch(of: #/https://127[0-9.]+:[0-9]+/#))
            return (webhook, String(match.0))
        }

        /// Lays out a volume as the kubelet does, and swaps its files for those in `version`.
        private func publish(_ version: String, key: String? = nil) {
            let tls = folder.path + "/tls"
            mkdir(tls, 0o755)
            mkdir(tls + "/..\(version)", 0o755)
            for (file, source) in [("tls.crt", version), ("tls.key", key ?? version)] {
                FileText.write(FileText.text("\(folder.path)/\(source)/\(file)"), to: "\(tls)/..\(version)/\(file)")
                symlink("..data/" + file, tls + "/" + file)
            }
            symlink("..\(version)", tls + "/..data_tmp")
            rename(tls + "/..data_tmp", tls + "/..data")
        }

        private func certificate(_ name: String) {
            mkdir(folder.path + "/" + name, 0o755)
            Certificate.make(name, in: folder.path + "/" + name)
        }

        private func curl(_ url: String, trusting name: String, _ words: [String] = []) -> ChildProcess {
            let trust = ["--cacert", "\(folder.path)/\(name)/tls.crt"]
            let common = ["curl", "-sS", "--max-time", "20"] + trust + words + [url]
            return ChildProcess(common, name: "curl\(Int.random(in: 0..<1_000_000))", in: folder.path)
        }

        private func isTrusted(_ url: String, _ name: String) -> Bool {
            curl(url + "/healthz", trusting: name).wait() == 0
        }

        @Test("it answers an AdmissionReview with a patch, and refuses what is none with the reason")
        func answers() throws {
            certificate("first")
            publish("first")
            let (webhook, url) = try webhook()
            let pod = Self.pod.replacing(
                #""namespace":"ns","#,
                with: #""annotations":{"guestlog/log-serial-console":"true"},"#
            )
            let review =
                #"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"7","object":\#(pod)}}"#
            FileText.write(review, to: folder.path + "/review.json")
            let answered = curl(url + "/mutate-pod?timeout=2s", trusting: "first", ["--data", "@review.json"])
            #expect(answered.wait() == 0, "\(answered.standardError)")
            let response = try JSON(parsing: answered.output)["response"]
            #expect(response?["uid"]?.text == "7" && response?["patchType"]?.text == "JSONPatch")
            #expect(eventually { webhook.standardError.contains("gets guest-console-log") })
            let refused = curl(url + "/mutate-pod", trusting: "first", ["--data", "{}", "-w", "%{http_code}"])
            #expect(refused.wait() == 0 && refused.text.contains("not an AdmissionReview"))
            #expect(refused.text.hasSuffix("400"))
            webhook.signal(SIGTERM)
            #expect(webhook.wait() == 0, "\(webhook.standardError)")
        }

        @Test("a certificate that is renewed by the ..data link is used at once, and a wrong pair is not used")
        func renewal() throws {
            for name in ["first", "second", "third"] {
                certificate(name)
            }
            publish("first")
            let (webhook, url) = try webhook()
            #expect(isTrusted(url, "first"))
            publish("second")
            #expect(eventually { isTrusted(url, "second") }, "\(webhook.standardError)")
            #expect(!isTrusted(url, "first"))
            publish("third", key: "first")
            #expect(eventually { webhook.standardError.contains("the last good certificate stays in use") })
            #expect(isTrusted(url, "second") && !isTrusted(url, "third"))
        }

        @Test("a webhook that hangs answers nobody, and answers again when it goes on")
        func hangs() throws {
            certificate("first")
            publish("first")
            let (webhook, url) = try webhook()
            webhook.signal(SIGSTOP)
            #expect(curl(url + "/healthz", trusting: "first", ["--max-time", "2"]).wait() == 28)
            webhook.signal(SIGCONT)
            #expect(eventually { isTrusted(url, "first") })
        }

        @Test("without a certificate it does not start, and names the file")
        func noCertificate() throws {
            let webhook = run([
                "kubevirt", "webhook", "--listen", "127.0.0.1:0", "--certificate", "a.crt", "--key", "a.key",
            ])
            #expect(webhook.wait() == 2 && webhook.standardError.contains("a.crt cannot be read"))
        }
    }
}
