// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The daemon started by a guest's connection, as systemd's socket units do, and ended after it.
    @Suite(.enabled(if: access("/usr/bin/systemd-socket-activate", X_OK) == 0, "needs systemd-socket-activate"))
    struct ActivationTests {
        @Test("the first guest starts the daemon, which ends when no guest is connected, and the next starts it again")
        func firstGuest() throws {
            let site = try Site(consoles: { _ in "" }, isServed: false)
            let socket = site.path + "/web.sock"
            FileText.write(
                FileText.text(site.configuration) + """
                    collector:
                      port: none
                      notify-port: none
                      exit-when-idle: 300ms
                      guests: [{ listen: '\(socket)', name: web }]

                    """,
                to: site.configuration
            )
            for round in 1...2 {
                let command = [
                    "systemd-socket-activate", "--listen=\(socket)", "--fdname=guestlog.collector",
                    Program.guestlog, "serve", "--config", site.configuration,
                ]
                let daemon = ChildProcess(command, name: "activated-\(round)", in: site.path)
                #expect(eventually { access(socket, F_OK) == 0 })
                // Nothing of it runs before a guest connects.
                #expect(!daemon.standardError.contains("serves"))
                // The file is there before the socket listens.
                var connected: Int32 = -1
                let isConnected = eventually {
                    connected = (try? UnixSocket.connect(to: socket).release()) ?? -1
                    return connected >= 0
                }
                #expect(isConnected)
                let guest = Descriptor(owning: connected)
                let entry = Array("MESSAGE=round \(round)\n\n".utf8)
                #expect(send(guest.raw, entry, entry.count, Int32(MSG_NOSIGNAL)) == entry.count)
                shutdown(guest.raw, Int32(SHUT_WR))
                #expect(daemon.wait() == 0, "\(daemon.standardError)")
                #expect(
                    daemon.standardError.contains("stopping: no guest has been connected for collector.exit-when-idle")
                )
                // The socket is the service manager's.
                #expect(access(socket, F_OK) == 0)
                unlink(socket)
            }
            #expect(site.guestlog("logs", "web", "-o", "text").text == "round 1\nround 2\n")
        }
    }
}
