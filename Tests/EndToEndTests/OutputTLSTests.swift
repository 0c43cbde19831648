// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestServers
import TestSupport
import TestTraits
import Testing

/// Outputs over TLS, to receivers of others.
@Suite(.blocking, .serialized) struct OutputTLSTests {
    private static let hasRsyslog =
        access("/usr/sbin/rsyslogd", X_OK) == 0
        && ["x86_64", "aarch64"].contains { access("/usr/lib/\($0)-linux-gnu/rsyslog/lmnsd_gtls.so", R_OK) == 0 }
    private static let hasProxies =
        access("/usr/sbin/haproxy", X_OK) == 0 && access("/usr/sbin/nginx", X_OK) == 0

    /// A CA in `folder`, and the certificates `server`, of 127.0.0.1, and `client` that it has signed.
    private func certificates(in folder: String) {
        let script = """
            set -eu
            cd '\(folder)'
            new="openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
            $new -x509 -days 2 -subj /CN=ca -keyout ca.key -out ca.crt
            for name in server client; do
                $new -subj /CN=$name -keyout $name.key -out $name.csr
                echo subjectAltName=IP:127.0.0.1 >$name.ext
                openssl x509 -req -days 2 -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile $name.ext -out $name.crt
                cat $name.crt $name.key >$name.pem
            done
            """
        let made = ChildProcess(["sh", "-c", script], name: "openssl", in: folder)
        #expect(made.wait() == 0, "\(made.standardError)")
    }

    /// A daemon with the output `words`, and lines of its console.
    private func deliver(_ count: Int, _ words: String) throws -> Site {
        let site = try Site(extra: "outputs:\n  - { name: secure, from: beginning, \(words) }\n")
        let console = try Chardev(site.path + "/vms/web.sock")
        try console.accept()
        console.emit((0..<count).map { "line \($0)\n" }.joined())
        #expect(try site.sees("line \(count - 1)\n", from: "web"))
        return site
    }

    private func isListening(at port: UInt16) -> Bool {
        (try? NetworkAddress(host: "127.0.0.1", port: port)?.connect()) != nil
    }

    @Test(
        "a real rsyslogd gets every line over TLS",
        .enabled(if: hasRsyslog, "needs Debian's rsyslog and rsyslog-gnutls")
    )
    func rsyslog() throws {
        let folder = TemporaryFolder()
        certificates(in: folder.path)
        let port = try ComputeHost.freeAddress(from: 27_514).port
        FileText.write(
            """
            global(workDirectory="\(folder.path)" defaultNetstreamDriver="gtls"
                defaultNetstreamDriverCAFile="\(folder.path)/ca.crt"
                defaultNetstreamDriverCertFile="\(folder.path)/server.crt"
                defaultNetstreamDriverKeyFile="\(folder.path)/server.key")
            module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
            input(type="imtcp" address="127.0.0.1" port="\(port)")
            template(name="bare" type="list") { property(name="msg" droplastlf="on") constant(value="\\n") }
            action(type="omfile" file="\(folder.path)/lines" template="bare")

            """,
            to: folder.path + "/rsyslog.conf"
        )
        let words = [
            "/usr/sbin/rsyslogd", "-n", "-f", folder.path + "/rsyslog.conf", "-i", folder.path + "/rsyslog.pid",
        ]
        let daemon = ChildProcess(words, name: "rsyslogd", in: folder.path)
        #expect(eventually { isListening(at: port) }, "\(daemon.standardError)")
        let site = try deliver(500, "type: syslog, to: 'tls://127.0.0.1:\(port)', tls: { ca: '\(folder.path)/ca.crt' }")
        func lines() -> [String] {
            FileText.text(folder.path + "/lines").split(separator: "\n").map { String($0.drop { $0 == " " }) }
        }
        #expect(eventually { lines().count >= 500 }, "\(daemon.standardError)")
        #expect(lines() == (0..<500).map { "line \($0)" })
        withExtendedLifetime(site) {}
    }

    @Test(
        "a proxy that demands a client certificate admits an output that has one, and no other",
        .enabled(if: hasProxies, "needs Debian's haproxy and nginx"),
        arguments: ["haproxy", "nginx"]
    )
    func clientCertificate(proxy: String) throws {
        let folder = TemporaryFolder()
        certificates(in: folder.path)
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let port = try ComputeHost.freeAddress(from: 27_600).port
        let daemon = start(proxy, in: folder.path, port: port, for: server.port)
        #expect(eventually { isListening(at: port) }, "\(daemon.standardError)")
        let url = "type: elasticsearch, url: 'https://127.0.0.1:\(port)'"
        let ca = "ca: '\(folder.path)/ca.crt'"
        let stranger = try deliver(10, "\(url), tls: { \(ca) }")
        let host = try deliver(
            300,
            "\(url), tls: { \(ca), certificate: '\(folder.path)/client.crt', key: '\(folder.path)/client.key' }"
        )
        #expect(eventually { index.messages.count >= 300 }, "\(daemon.standardError)")
        #expect(index.messages == (0..<300).map { "line \($0)" })
        let status = stranger.guestlog("outputs", "status", "-o", "json", by: .socket).text
        #expect(try JSON(parsing: status.utf8)["delivered"]?.integer == 0)
        withExtendedLifetime(host) {}
    }

    private func start(_ proxy: String, in folder: String, port: UInt16, for server: Int) -> ChildProcess {
        if proxy == "haproxy" {
            FileText.write(
                """
                defaults
                  mode http
                  timeout connect 5s
                  timeout client 5s
                  timeout server 5s
                listen engine
                  bind 127.0.0.1:\(port) ssl crt \(folder)/server.pem ca-file \(folder)/ca.crt verify required
                  server one 127.0.0.1:\(server)

                """,
                to: folder + "/haproxy.cfg"
            )
            return ChildProcess(["/usr/sbin/haproxy", "-f", folder + "/haproxy.cfg"], name: proxy, in: folder)
        }
        FileText.write(
            """
            daemon off;
            master_process off;
            pid \(folder)/nginx.pid;
            error_log stderr;
            events {}
            http {
                access_log off;
                client_body_temp_path \(folder)/body;
                client_max_body_size 16m;
                server {
                    listen 127.0.0.1:\(port) ssl;
                    ssl_certificate \(folder)/server.crt;
                    ssl_certificate_key \(folder)/server.key;
                    ssl_client_certificate \(folder)/ca.crt;
                    ssl_verify_client on;
                    location / { proxy_pass http://127.0.0.1:\(server); }
                }
            }

            """,
            to: folder + "/nginx.conf"
        )
        return ChildProcess(["/usr/sbin/nginx", "-p", folder, "-c", folder + "/nginx.conf"], name: proxy, in: folder)
    }
}
