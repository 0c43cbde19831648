// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// OpenStack's own client with the OpenStack part of the API, and a guest as nova creates it.
    @Suite(
        .serialized,
        .enabled(
            if: LibvirtHost.isPossible && ComputeHost.clients != nil,
            "needs root, libvirt, and GUESTLOG_OPENSTACK_CLIENT: a folder with openstack and python3 (scripts/test e2e)"
        )
    )
    struct OpenStackTests {
        private static let uuid = "0c8ef1a0-4f2e-4b1e-9a56-3d2d1f5b7a10"
        private static let name = "instance-0000002a"

        /// A host with an instance that has been started and waits for a login.
        private func begin() throws -> (host: ComputeHost, token: String, xml: String) {
            let host = try ComputeHost()
            let port = try ComputeHost.freeAddress(from: 10_000).port
            let xml = host.instance(Self.uuid, Self.name, "shop", port: port)
            start(xml, on: host)
            let token = host.token("--scope", "read", "--scope", "console", "--name", "nova")
            #expect(awaits("login: ", host, token))
            return (host, token, xml)
        }

        /// Defines the instance and starts it, as nova does each time.
        private func start(_ xml: String, on host: ComputeHost) {
            let file = host.libvirt.path + "/\(Self.name).xml"
            FileText.write(xml, to: file)
            let defined = host.libvirt.virsh("define", file)
            #expect(defined.status == 0, "\(defined.standardError)")
            let started = host.libvirt.virsh("start", Self.name)
            #expect(started.status == 0, "\(started.standardError)")
        }

        private func awaits(_ text: String, _ host: ComputeHost, _ token: String) -> Bool {
            eventually(within: 120) {
                host.openstack(token, "console", "log", "show", "shop").text.contains(text)
            }
        }

        @Test("typing on the serial console and reading its output do not block each other")
        func bothAtOnce() throws {
            let (host, token, _) = try begin()
            let last = host.openstack(token, "console", "log", "show", "--lines", "1", "shop")
            #expect(last.status == 0 && last.text.hasSuffix("login: \n"), "\(last.text) \(last.standardError)")

            let shown = host.openstack(token, "console", "url", "show", "--serial", "-f", "value", "-c", "url", "shop")
            let url = shown.text.split(separator: "\n").first.map(String.init) ?? ""
            #expect(url.hasPrefix("wss://127.0.0.1:") && url.contains("/serial?token="), "\(shown.standardError)")
            let session = host.openConsole(
                url,
                by: "binary",
                [
                    "type ", "see login: ", "type root", "see Password: ", "type \(GuestImage.password)", "see guest# ",
                    "type echo the answer is $((6 * 7))", "see the answer is 42", "see guest# ",
                    "type sleep 1; echo slept on $((1 + 1))",
                    "see slept on 2",
                ]
            )
            var reads = 0
            while !session.hasEnded {
                let output = host.openstack(token, "console", "log", "show", "--lines", "5", "shop")
                #expect(output.status == 0, "\(output.standardError)")
                reads += 1
            }
            #expect(session.wait() == 0, "\(session.standardError)")
            #expect(reads > 0)
            #expect(awaits("slept on 2", host, token))
            let output = host.openstack(token, "console", "log", "show", "shop").text
            #expect(output.contains("echo the answer is $((6 * 7))") && output.contains("\nthe answer is 42\n"))
            #expect(!output.contains("\(GuestImage.password)\n"))

            // The same address, with a client that supports text frames only.
            let second = host.openConsole(url, by: "base64", ["type echo again $((2 + 1))", "see again 3"])
            #expect(second.wait() == 0, "\(second.standardError)")
            // The console has no session now, and other clients find it free.
            let listed = host.guestlog("vms", "-o", "json").text
            #expect(eventually { host.guestlog("vms", "-o", "json").text.contains(#""connected":false"#) }, "\(listed)")
            #expect(listed.contains(#""title":"shop""#) && listed.contains(#""state":"running""#))
            #expect(host.guestlog("logs", Self.name, "-g", "again 3").status == 0)
        }

        @Test("after a hard reboot and a restart of libvirtd the log is readable, with its earlier output")
        func survives() throws {
            let (host, token, xml) = try begin()
            host.libvirt.stopLibvirtd()
            #expect(host.openstack(token, "console", "log", "show", "shop").text.contains("login: "))
            host.libvirt.startLibvirtd()
            // A libvirtd that has just started refuses until it has found its domains again.
            // A destroy that reports an error may have had its effect all the same.
            #expect(
                eventually {
                    host.libvirt.virsh("destroy", Self.name).status == 0
                        || host.libvirt.virsh("domstate", Self.name).text.hasPrefix("shut off")
                }
            )
            let stopped = host.openstack(token, "console", "log", "show", "shop")
            #expect(stopped.text.contains("login: "))
            #expect(
                eventually {
                    let refused = host.openstack(token, "console", "url", "show", "--serial", "shop")
                    return refused.status != 0 && refused.standardError.contains("409")
                }
            )
            // nova defines and starts it again, and truncates its file.
            #expect(host.libvirt.virsh("undefine", Self.name).status == 0)
            start(xml, on: host)
            #expect(
                eventually(within: 120) {
                    let text = host.openstack(token, "console", "log", "show", "shop").text
                    return text.components(of: "GUEST-READY") == 2 && text.hasSuffix("login: \n")
                }
            )
            let file = host.libvirt.files("\(host.libvirt.path)/instances/\(Self.uuid)/console.log").flatMap(\.bytes)
            #expect(String(decoding: file, as: UTF8.self).components(of: "GUEST-READY") == 1)
            #expect(host.guestlog("boots", Self.name).text.split(separator: "\n").count >= 2)
        }

        @Test("without a token, with insufficient scope, and with another VM's token, the client is refused as by nova")
        func refusals() throws {
            let (host, _, _) = try begin()
            let reader = host.token("--scope", "read")
            let others = host.token("--scope", "read", "--vm", "db-*")
            let own = host.token("--scope", "read", "--vm", Self.uuid)
            #expect(host.openstack(own, "console", "log", "show", "--lines", "1", Self.uuid).status == 0)
            let unknown = host.openstack("none", "console", "log", "show", Self.uuid)
            #expect(unknown.status != 0 && unknown.standardError.contains("401"), "\(unknown.standardError)")
            let small = host.openstack(reader, "console", "url", "show", "--serial", Self.uuid)
            #expect(small.status != 0 && small.standardError.contains("403"), "\(small.standardError)")
            let hidden = host.openstack(others, "console", "log", "show", Self.uuid)
            #expect(hidden.status != 0 && hidden.standardError.contains("No Server found"), "\(hidden.standardError)")
        }
    }
}

extension String {
    /// The number of occurrences of `word`.
    fileprivate func components(of word: String) -> Int {
        ranges(of: word).count
    }
}
