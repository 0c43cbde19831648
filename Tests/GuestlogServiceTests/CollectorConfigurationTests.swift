// SPDX-License-Identifier: Apache-2.0

import Capture
import GuestCollector
import LogModel
import SystemIO
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct CollectorConfigurationTests {
    private func read(_ text: String) throws -> CollectorOptions? {
        try Configuration(file: "test.yaml", text: text).collector
    }

    @Test("without the section there is no collector; an empty one listens on the usual ports")
    func defaults() throws {
        #expect(try read("{}") == nil)
        for text in ["collector:", "collector: {}"] {
            #expect(try read(text) == CollectorOptions(port: 9999, notifyPort: 9998))
        }
        #expect(try read("collector: { port: none, notify-port: none }") == CollectorOptions())
    }

    @Test("all settings are parsed")
    func everything() throws {
        let options = try read(
            """
            collector:
              port: 1234
              notify-port: 1235
              rate: 2MiB
              record-rate: 500
              record-burst: 600
              connections: 3
              exit-when-idle: 10m
              guests:
                - { cid: 5, name: web, uuid: 6C5B4C1E8A534D599A372F4E1B6F0A11, namespace: lab }
                - { vsock: /run/v.sock, name: db }
                - { vsock: /run/w.sock, dial: 1025, name: sandbox }
                - { serial: /run/s.sock, name: fw }
                - { listen: /run/l.sock, name: old }
                - { listen: "127.0.0.1:19532", name: older }
            """
        )
        #expect(options?.port == 1234 && options?.notifyPort == 1235)
        #expect(options?.limits.bytes == RateLimit(rate: 2 << 20, burst: 16 << 20))
        #expect(options?.limits.records == RateLimit(rate: 500, burst: 600) && options?.limits.connections == 3)
        #expect(options?.idleLimit == 600_000_000)
        #expect(
            options?.guests.map(\.endpoint) == [
                .context(5), .hybrid(path: "/run/v.sock"), .dial(path: "/run/w.sock", port: 1025),
                .serial(path: "/run/s.sock"), .unix(path: "/run/l.sock"),
                .tcp(try #require(NetworkAddress("127.0.0.1:19532"))),
            ]
        )
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        #expect(options?.guests.first?.vm == VMIdentity(name: "web", uuid: uuid, namespace: "lab"))
    }

    @Test("paths with placeholders are patterns of guests")
    func patterns() throws {
        let options = try read(
            """
            collector:
              guests:
                - { vsock: "/run/fc/{name}/v.sock" }
                - { vsock: "/run/vc/vm/{name}/clh.sock", dial: 1025 }
                - { serial: "/run/vms/{namespace}/{name}.guestlog" }
                - { listen: "/run/guests/{name}/guestlog.sock" }
            """
        )
        #expect(options?.guests == [])
        #expect(
            options?.patterns.map(\.description) == [
                "vsock:/run/fc/{name}/v.sock", "vsock:/run/vc/vm/{name}/clh.sock, port 1025",
                "serial:/run/vms/{namespace}/{name}.guestlog", "/run/guests/{name}/guestlog.sock",
            ]
        )
    }

    @Test(
        "errors name the key, and what is possible",
        arguments: [
            ("{ port: 0 }", "collector.port: 0 is not a vsock port"),
            ("{ port: x }", "use 1 to 4294967294, or none"),
            ("{ port: 5, notify-port: 5 }", "must differ"),
            ("{ conections: 5 }", "did you mean connections?"),
            ("{ connections: 0 }", "more than 0"),
            ("{ record-rate: 0 }", "more than 0"),
            ("{ exit-when-idle: 0s }", "collector.exit-when-idle: 0s must be more than 0"),
            ("{ guests: [{ name: x }] }", "requires one of cid, vsock, serial or listen"),
            ("{ guests: [{ cid: 5 }] }", "name is missing"),
            ("{ guests: [{ cid: 2, name: x }] }", "use 3 to 4294967294"),
            ("{ guests: [{ cid: 5, name: a/b }] }", "'a/b' is not a VM's name"),
            ("{ guests: [{ cid: 5, name: a, uuid: z }] }", "z is not a UUID"),
            ("{ guests: [{ cid: 5, name: a }, { cid: 5, name: b }] }", "CID 5 is given for two guests"),
            ("{ guests: [{ serial: s.sock, name: a }] }", "the path must begin with /"),
            ("{ guests: [{ listen: 'host:1', name: a }] }", "not a host name"),
            ("{ guests: [{ cid: 5, dial: 1025, name: a }] }", "dial has no effect with cid: remove it, or use vsock"),
            ("{ guests: [{ vsock: /v, dial: x, name: a }] }", "such as 1025"),
            ("{ guests: [{ vsock: '/v/{name}', name: a }] }", "name comes from the path, /v/{name}"),
            ("{ guests: [{ vsock: '/v/{nam}' }] }", "unknown placeholder {nam}; use {name}, {uuid} or {namespace}"),
            ("{ guests: [{ serial: '/v/{namespace}' }] }", "it must contain {name} or {uuid}"),
            ("{ guests: [{ listen: '/v/{name}.sock' }] }", "put the placeholder into the folder's name"),
        ]
    )
    func errors(_ section: String, message: String) {
        do {
            _ = try read("collector: " + section)
            Issue.record("it is accepted: \(section)")
        } catch {
            #expect("\(error)".contains(message), "\(error)")
        }
    }

    @Test("guest-setup prints both credentials in the form of each VMM")
    func setup() {
        let text = GuestSetupText(vm: "web", port: 9999, notifyPort: 9998)
        for words in [text.qemu, text.libvirt, text.cloudHypervisor] {
            #expect(words.contains("io.systemd.credential:journal.forward_to_socket=vsock-stream:2:9999"))
            #expect(words.contains("io.systemd.credential:vmm.notify_socket=vsock-stream:2:9998"))
            #expect(words.contains("web"))
        }
        #expect(text.qemu.contains("-smbios type=11,value=io.systemd"))
        #expect(text.qemu.contains("  -device vhost-vsock-pci,guest-cid=N \\\n  -smbios"))
        #expect(text.qemu.contains("cid: N, name: web"))
    }
}
