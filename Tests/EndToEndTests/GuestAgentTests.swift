// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestSupport
import Testing

extension EndToEnd {
    /// The agent in a guest, and the collector on its host.
    @Suite struct GuestAgentTests {
        /// The options of QEMU for a virtio-serial port on a socket.
        private static func port(_ path: String) -> [String] {
            [
                "-device", "virtio-serial-pci", "-chardev", "socket,path=\(path),server=on,wait=off,id=agent",
                "-device", "virtserialport,chardev=agent,name=guestlog.0",
            ]
        }

        @Test("over virtio-serial, a guest's syslog and kernel messages arrive with severity, facility and number")
        func virtioSerial() throws {
            let folder = TemporaryFolder()
            let port = folder.path + "/agent.sock"
            let site = try Site(extra: "collector: { guests: [{ serial: '\(port)', name: web }] }")
            let script = """
                for module in $(cat /modules/order); do insmod "/modules/$module.ko"; done
                run guestlog-agent --to serial:/dev/vport0p1 &
                until [ -S /dev/log ]; do sleep 0.1; done
                logger -p daemon.err -t probe "from syslog"
                i=0
                while [ $i -lt 50 ]; do i=$((i + 1)); logger -p local3.info -t count "n$i"; done
                echo "<30>from userspace" >/dev/kmsg
                """
            let initrd = AgentInitrd(["guestlog-agent"], script: script, in: folder.path)
            let guest = Guest(
                "web",
                chardev: .server(site.path + "/vms/web.sock"),
                initrd: initrd.path,
                options: Self.port(port),
                in: site.path
            )
            func logs(_ filters: String...) -> [String] {
                let words = ["logs", "web", "--stream", "guest", "-o", "raw"] + filters
                return site.guestlog(words).text.split(separator: "\n").map(String.init)
            }
            func field(_ name: String, of line: String?) -> String? {
                line.flatMap { try? JSON(parsing: $0.utf8)[name]?.text }
            }
            #expect(
                eventually(within: 120) { logs("SYSLOG_IDENTIFIER=count").count == 50 },
                "\(String(decoding: guest.printed.suffix(3000), as: UTF8.self))"
            )
            let syslog = logs("SYSLOG_IDENTIFIER=probe")
            #expect(syslog.count == 1 && field("MESSAGE", of: syslog.first) == "from syslog")
            #expect(field("PRIORITY", of: syslog.first) == "3" && field("SYSLOG_FACILITY", of: syslog.first) == "3")
            #expect(logs("SYSLOG_IDENTIFIER=count").map { field("MESSAGE", of: $0) } == (1...50).map { "n\($0)" })
            #expect(eventually { logs("_TRANSPORT=kernel", "SYSLOG_FACILITY=3").count == 1 })
            // From the first record of the boot on, without a gap in the kernel's numbers.
            let kernel = logs("_TRANSPORT=kernel")
            #expect(field("MESSAGE", of: kernel.first)?.hasPrefix("Linux version ") == true)
            let numbers = kernel.compactMap { field("_KERNEL_SEQUENCE", of: $0).flatMap { Int($0) } }
            #expect(numbers == Array(0..<kernel.count))
            #expect(site.guestlog("status").text.contains("1 guests with 1 connections"))
        }

        @Test("inside a guest, agent and collector over AF_VSOCK: the peer is known by its CID")
        func vsock() throws {
            let folder = TemporaryFolder()
            let site = try Site()
            let script = """
                for module in $(cat /modules/order-vsock); do insmod "/modules/$module.ko"; done
                mkdir -p /srv/store /srv/runtime
                printf 'store: /srv/store\\nruntime: /srv/runtime\\ncollector: {}\\n' >/srv/guestlog.yaml
                run guestlog serve --config /srv/guestlog.yaml &
                until [ -S /srv/runtime/guestlog.sock ]; do sleep 0.1; done
                run guestlog-agent --to vsock:1:9999 &
                until [ -S /dev/log ]; do sleep 0.1; done
                logger -p daemon.err -t probe "over vsock"
                until run guestlog logs cid-1 --config /srv/guestlog.yaml SYSLOG_IDENTIFIER=probe; do sleep 0.2; done
                run guestlog vms --config /srv/guestlog.yaml
                """
            let initrd = AgentInitrd(["guestlog-agent", "guestlog"], script: script, in: folder.path)
            let guest = Guest(
                "web",
                words: "glogin=0 gpoweroff=1",
                chardev: .server(site.path + "/vms/web.sock"),
                initrd: initrd.path,
                options: ["-m", "768"],
                in: site.path
            )
            #expect(guest.hasSwitchedOff(within: 150))
            let printed = String(decoding: guest.printed, as: UTF8.self)
            #expect(printed.contains("probe: over vsock"), "\(printed.suffix(3000))")
            // The loopback's CID, which no VM is known to have.
            #expect(printed.contains("cid-1"))
        }
    }
}
