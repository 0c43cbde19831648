// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The API's TCP listener, with TLS.
    @Suite struct NetworkTests {
        private let site: Site
        private let address: NetworkAddress
        private let folder = TemporaryFolder()

        init() throws {
            address = try ComputeHost.freeAddress(from: 11_774)
            Certificate.make("first", in: folder.path)
            let api = "api: { listen: '\(address)', certificate: \(folder.path)/tls.crt, key: \(folder.path)/tls.key }"
            site = try Site(extra: api, isServed: false)
        }

        /// The listener's response to a client with that token, whose only certificate authority is in `tls.crt`.
        private func status(_ token: String, authority: String = "tls.crt") -> String {
            let workingFolder = TemporaryFolder()
            let answer = ChildProcess(
                [
                    "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", folder.path + "/" + authority,
                    "-H",
                    "Authorization: Bearer \(token)", "https://\(address)/v1/vms",
                ],
                name: "curl",
                in: workingFolder.path
            )
            return answer.wait() == 0 ? answer.text : answer.standardError
        }

        private func token() -> String {
            let made = site.guestlog("token", "add", by: .socket)
            #expect(made.status == 0)
            return made.text.split(separator: "\n").first.map(String.init) ?? ""
        }

        @Test(
            "tokens, the listener and its certificate outlive an upgrade; a renewed certificate is used after a reload"
        )
        func upgradeAndRenewal() throws {
            try site.start()
            let token = token()
            #expect(status(token) == "200")
            #expect(status("gl_0_0") == "401")
            let question = "http://guestlog/v1/logs?all=1&follow=1"
            let follow = ["curl", "-sNv", "--unix-socket", site.socket, question]
            let following = ChildProcess(follow, name: "following", in: site.path)
            #expect(eventually { following.standardError.contains("200 OK") })
            site.replace()
            #expect(status(token) == "200")
            // Connected clients see the end of the connection.
            #expect(eventually { following.hasEnded })
            // The old authority has not signed the new certificate.
            FileText.write(FileText.text(folder.path + "/tls.crt"), to: folder.path + "/old.crt")
            Certificate.make("second", in: folder.path)
            #expect(status(token, authority: "old.crt") == "200")
            site.daemon?.signal(SIGHUP)
            #expect(eventually { status(token) == "200" })
            #expect(status(token, authority: "old.crt") != "200")
            // An unusable one is reported, and the current one stays in use.
            FileText.write("no certificate\n", to: folder.path + "/tls.crt.new")
            rename(folder.path + "/tls.crt", folder.path + "/good.crt")
            rename(folder.path + "/tls.crt.new", folder.path + "/tls.crt")
            site.daemon?.signal(SIGHUP)
            #expect(
                eventually { site.guestlog("status", by: .socket).text.contains("problem: api: the certificate in") }
            )
            #expect(status(token, authority: "good.crt") == "200")
        }

        @Test("a listener that cannot be opened does not stop capture, and its problem is reported")
        func brokenListener() throws {
            unlink(folder.path + "/tls.key")
            try site.start()
            let guest = Guest(
                "web",
                words: "glogin=0 gpoweroff=1",
                chardev: .server(site.path + "/vms/web.sock"),
                in: site.path
            )
            #expect(guest.hasSwitchedOff())
            #expect(try site.sees("GUEST-DONE", from: "web"))
            let status = site.guestlog("status", by: .socket).text
            #expect(status.contains("problem: api: the key in \(folder.path)/tls.key cannot be read"))
            #expect(status.contains("nothing listens at \(address)"))
            let token = token()
            Certificate.make("mended", in: folder.path)
            site.daemon?.signal(SIGHUP)
            #expect(eventually { self.status(token) == "200" })
            #expect(!site.guestlog("status", by: .socket).text.contains("problem: api"))
        }
    }

}

/// A self-signed certificate for 127.0.0.1, and its key: `tls.crt` and `tls.key`.
enum Certificate {
    static func make(_ name: String, in folder: String) {
        let made = ChildProcess(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days",
                "2", "-keyout", folder + "/tls.key", "-out", folder + "/tls.crt", "-subj", "/CN=" + name, "-addext",
                "subjectAltName=IP:127.0.0.1",
            ],
            name: "openssl",
            in: folder
        )
        #expect(made.wait() == 0, "\(made.standardError)")
    }
}
