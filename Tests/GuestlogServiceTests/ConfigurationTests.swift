// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import HTTPAPI
import Glibc
import Libvirt
import LogModel
import LogStore
import Outputs
import Query
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct ConfigurationTests {
    private func read(_ text: String) throws -> Configuration {
        try Configuration(file: "test.yaml", text: text)
    }

    @Test(
        "a character set is refused when it is unknown or incomplete",
        arguments: [
            ("charset: no-such", "unknown charset no-such"),
            ("charset: {a: utf-16}", "must be a superset of ASCII"),
            ("charset: iso-2022-jp", "must be a superset of ASCII"),
            ("charset: {a: [b]}", "charset must be a text, or a mapping of VM name patterns to texts"),
        ]
    )
    func charsets(_ text: String, _ words: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "g.yaml", text: text) }
        #expect(error.map { "\($0)".contains(words) } ?? false, "\(String(describing: error))")
    }

    @Test(
        "an empty file, an empty mapping and a mapping of empty sections give the defaults",
        arguments: [
            "", "{}", "consoles:\nretention:\n", "consoles: null\nretention: ~\n", "retention: { age: ~, vm: null }\n",
            "outputs: NULL\n",
        ]
    )
    func defaults(text: String) throws {
        let configuration = try read(text)
        #expect(configuration.quota == .default)
        #expect(configuration.patterns.isEmpty)
        #expect(configuration.consoles.isEmpty)
    }

    @Test("a byte order mark, and the names of severities that logging libraries use, are accepted")
    func otherPrograms() throws {
        #expect(try read("\u{feff}log-level: debug\r\nstore: /x\r\n").logLevel == .debug)
        #expect(try read("\u{feff}").logLevel == .notice)
        #expect(try read("log-level: warn").logLevel == .warning)
        #expect(try read("log-level: err").logLevel == .error)
    }

    @Test("a file is read through a symbolic link, and need not be a regular file")
    func kindsOfFile() throws {
        let folder = TemporaryFolder()
        let (path, link) = (folder.path + "/guestlog.yaml", folder.path + "/link.yaml")
        let file = fopen(path, "w")
        fputs("store: /srv/log\n", file)
        fclose(file)
        #expect(symlink(path, link) == 0)
        #expect(try Configuration(file: link).store == "/srv/log")
        #expect(try Configuration(file: "/dev/null").consoles.isEmpty)
        #expect(throws: ConfigurationError.self) { try Configuration(file: folder.path + "/absent.yaml") }
        #expect(throws: ConfigurationError.self) { try Configuration(file: folder.path) }
    }

    @Test("all settings are parsed")
    func everything() throws {
        let configuration = try read(
            """
            store: /srv/log
            runtime: /run/gl
            log-level: debug
            consoles:
              - path: /run/vms/{name}.sock
                stream: console1
                plain-file: /var/log/{name}.log
                plain-size: 1MiB
                plain-backups: 5
                rate: 0
              - connect: /run/db.sock
                name: db
                uuid: 6C5B4C1E8A534D599A372F4E1B6F0A11
              - listen: /run/fw.sock
                name: fw
                rate: 1MiB
                burst: 2MiB
            retention:
              vm: 50MiB
              age: 30d
              total: 1GiB
              deleted: 1d
              overrides:
                - vms: "db*"
                  size: 1GiB
            """
        )
        #expect(configuration.store == "/srv/log")
        #expect(configuration.socket == "/run/gl/guestlog.sock")
        #expect(configuration.logLevel == .debug)
        #expect(configuration.patterns.map(\.text) == ["/run/vms/{name}.sock"])
        #expect(configuration.patterns[0].rate == nil)
        #expect(configuration.patterns[0].plainLimits.backups == 5)
        #expect(
            configuration.consoles.map(\.endpoint) == [.connect(path: "/run/db.sock"), .listen(path: "/run/fw.sock")]
        )
        #expect(configuration.consoles[0].key.uuid == "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11")
        #expect(configuration.consoles[1].rate == RateLimit(rate: 1 << 20, burst: 2 << 20))
        #expect(configuration.quota == Quota(bytes: 50 << 20, age: 30 * 86_400 * 1_000_000))
        #expect(configuration.totalQuota == 1 << 30)
        #expect(configuration.quota(of: VMIdentity(name: "db-7")).bytes == 1 << 30)
        #expect(configuration.quota(of: VMIdentity(name: "web")).bytes == 50 << 20)
    }

    @Test("a pattern means the same VMs in limits, character sets, outputs and tokens")
    func vmPatterns() throws {
        let web = VMIdentity(name: "db-1", uuid: "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11", namespace: "lab")
        let patterns = [
            ("*", true), ("lab/db-*", true), ("*/db-*", true), ("6C5B4C1E8A534D599A372F4E1B6F0A11", true),
            ("db-*", false), ("db-1", false), ("lab/web", false),
        ]
        for (word, matches) in patterns {
            let configuration = try read(
                """
                retention: {vm: 1GiB, overrides: [{vms: '\(word)', size: 1MiB}]}
                charset: {'\(word)': latin1}
                outputs: [{name: a, type: stdout, vms: ['\(word)']}]
                """
            )
            #expect(configuration.quota(of: web).bytes == (matches ? 1 << 20 : 1 << 30), "\(word)")
            #expect(configuration.charsets.rules.map(\.vms) == [VMPattern([word])])
            #expect(
                configuration.outputs[0].vms.contains(web) == matches
                    && configuration.outputs[0].vms == VMPattern([word])
            )
        }
    }

    @Test("an error elsewhere in the file leaves the store and the socket readable, and is reported")
    func pathsDespiteError() throws {
        let text = "store: /srv/log\nruntime: /run/gl\nretntion: { vm: 1GiB }\n"
        let read = Configuration.paths(in: text, of: "test.yaml")
        let paths = try #require(read.paths)
        #expect(paths.store == "/srv/log" && paths.socket == "/run/gl/guestlog.sock")
        #expect(read.error?.description == "test.yaml:3: unknown key retntion; did you mean retention?")
        #expect(Configuration.paths(in: "store: /srv/log\n", of: "test.yaml").error == nil)
    }

    @Test(
        "the store and the socket are read where the rest of the file is no YAML, and are those of the file or none",
        arguments: [
            ("retention:\n\ttotal: 10G\nstore: /srv/log\n", "/srv/log"),
            ("'store' : /srv/log\nconsoles: [\n", "/srv/log"),
            ("retention:\n\ttotal: 10G\n", Configuration().store),
            ("\u{feff}store: /srv/log\nconsoles: [\n", "/srv/log"),
            ("{store: /srv/log, retention: [\n", nil), ("# all\n  store: /srv/log\n\tx: 1\n", nil),
            ("store: relative\n", nil), ("store: [", nil), ("store: [a]\n", nil), ("store:\n  /srv/log\n\tx: 1\n", nil),
            ("store: /srv/log\nstore: /srv/other\n", nil), ("store: {}\n", nil),
        ] as [(String, String?)]
    )
    func pathsWithoutYAML(text: String, store: String?) {
        let read = Configuration.paths(in: text, of: "test.yaml")
        #expect(read.paths?.store == store && read.error != nil)
    }

    @Test(
        "libvirt's socket is the usual one, a named one, or none",
        arguments: [
            ("{}", .default), ("libvirt: { socket: }", .default), ("libvirt: { socket: none }", .off),
            ("libvirt: { socket: /run/x }", .path("/run/x")),
        ] as [(String, LibvirtSocket)]
    )
    func libvirtSocket(text: String, expected: LibvirtSocket) throws {
        let configuration = try read(text)
        #expect(configuration.libvirt == expected)
        let shown = configuration.settings.first { $0.name == "libvirt.socket" }?.value
        #expect(shown == expected.description)
    }

    @Test("the API's listener has the configured address and access control")
    func listener() throws {
        #expect(try read("{}").listener == nil)
        let secure = try read(
            """
            api:
              listen: 0.0.0.0:8774
              certificate: /etc/guestlog/tls.crt
              key: /etc/guestlog/tls.key
              origins: [https://horizon.example.org]
            openstack: { console-url: "wss://console.example.org/serial", console-life: 2m, console-output: nova }
            """
        )
        let listener = try #require(secure.listener)
        #expect(listener.address == NetworkAddress("0.0.0.0:8774") && !listener.isAnonymous)
        #expect(listener.certificate == "/etc/guestlog/tls.crt" && listener.key == "/etc/guestlog/tls.key")
        #expect(listener.origins == ["https://horizon.example.org"])
        #expect(secure.nova.consoleURL == "wss://console.example.org/serial")
        #expect(secure.nova.consoleLife == 120_000_000 && secure.nova.output == .nova)
        let open = try #require(try read("api: { listen: '[::1]:80', plain: true, anonymous: true }").listener)
        #expect(open.address.isLoopback && open.isAnonymous && open.certificate == nil)
        let console = try read("consoles: [{ name: x, tcp: '127.0.0.1:10000', on-demand: true }]").consoles[0]
        #expect(console.isOnDemand && console.endpoint.description == "tcp:127.0.0.1:10000")
    }

    @Test(
        "an error has file, line and key, and the remedy",
        arguments: [
            ("stor: /x\n", 1, "did you mean store?"), ("store: x\n", 1, "must be a path that begins with /"),
            ("store: ''\n", 1, "must be a path that begins with /"), ("runtime: run\n", 1, "begins with /"),
            ("store: /x\nruntime: /y\nstore: /z\n", 3, "a key is given twice in one mapping, first in line 1: store"),
            ("consoles:\n- name: x\n  listen: /a\n- path: /b\n  'path': /c\n", 5, "first in line 4: path"),
            ("store: /x\nretention: {vm: 1GiB, vm: 2GiB}\n", 2, "first in line 2: vm"),
            ("store: [\n", 2, "is not YAML"), ("retention: { vm: 0 }\n", 1, "at least 4KiB"),
            ("retention: { total: 1 }\n", 1, "at least 4KiB"), ("retention: { age: 0d }\n", 1, "more than 0"),
            ("retention:\n  vm: 20GiB\n  total: 1GiB\n", 2, "20GiB is more than retention.total, 1GiB"),
            ("retention: { overrides: [{ vms: '' }] }\n", 1, "vms is missing"),
            ("retention:\n  overrides:\n  - vms: 'db-*'\n", 3, "size and age are missing: set one, or both"),
            (
                "retention:\n  overrides:\n  - vms: a/b/c\n    size: 1MiB\n", 3,
                "retention.overrides[0].vms: 'a/b/c' matches no VM; use a pattern of names such as db-*"
            ),
            ("charset:\n  lab/: latin1\n", 2, "charset: 'lab/' matches no VM"),
            ("outputs:\n- {name: a, type: stdout, vms: [x, '']}\n", 2, "outputs[0].vms: '' matches no VM"),
            ("outputs:\n- {name: a, type: stdout, vms: []}\n", 2, "outputs[0].vms is empty, so no VM matches"),
            ("consoles:\n  - path: /run/{name}\n    plain-size: 1MiB\n", 3, "no effect without plain-file"),
            ("consoles:\n  - tcp: localhost:1\n    name: x\n", 2, "a name is not looked up"),
            ("consoles:\n  - tcp: 127.0.0.1:99999\n    name: x\n", 2, "a port from 1 to 65535"),
            ("log-level: loud\n", 1, "unknown level loud"), ("log-level: alert\n", 1, "unknown level alert"),

            ("libvirt:\n  socket: run/x\n", 2, "must be a path that begins with /"),
            ("store: /x\nretention:\n  vm: lots\n", 3, "retention.vm"),
            ("retention:\n  ag: 1d\n", 2, "did you mean age?"),
            ("consoles:\n  - name: x\n", 2, "path, connect, listen, tcp, pty or fifo"),
            ("consoles:\n  - path: /run/x.sock\n", 2, "{name}"),
            ("consoles:\n  - path: /run/{vm}.sock\n", 2, "{vm}"),
            ("consoles:\n  - connect: /run/x.sock\n", 2, "name"),
            ("consoles:\n  - connect: x.sock\n    name: x\n", 2, "begin it with /"),
            ("consoles:\n  - connect: /x\n    name: x\n    stream: Ä\n", 4, "stream"),
            (
                "consoles:\n  - connect: /x\n    name: x\n    stream: lock\n", 4,
                "lock is not a stream name: use 1 to 64 of a-z, 0-9, _ and -, and not lock"
            ),
            ("consoles:\n  - connect: /x\n    name: ''\n", 2, "a VM's name"),
            ("consoles:\n  - connect: /x\n    name: x\n    namespace: a/b\n", 2, "a VM's namespace"),
            (
                "consoles:\n  - path: /{name}\n    plain-file: '/x/{name}'\n    plain-backups: 1000000\n", 2,
                "from 0 to 1000"
            ),
            ("consoles:\n  - path: /{name}\n    plain-file: /x\n", 2, "put {name} into its path"),
            ("consoles:\n  - connect: /x\n    name: x\n    burst: 0\n", 2, "burst"),
            ("consoles: yes\n", 1, "must be a list"),
            ("consoles:\n  - tcp: 127.0.0.1:0\n    name: x\n", 2, "a port from 1 to 65535"),
            ("consoles:\n  - tcp: 127.0.0.1:1\n    name: x\n    on-demand: 1\n", 4, "neither true nor false"),
            ("api: { listen: 8774 }\n", 1, "ADDRESS:PORT"),
            ("api: { listen: 'localhost:8774' }\n", 1, "ADDRESS:PORT"),
            ("api:\n  listen: 0.0.0.0:8774\n", 2, "certificate and key (PEM files) are required"),
            ("api:\n  listen: 0.0.0.0:8774\n  certificate: /x\n", 2, "certificate and key"),
            ("api:\n  listen: 0.0.0.0:8774\n  plain: true\n", 3, "plain: true is allowed on the loopback only"),
            (
                "api:\n  listen: 127.0.0.1:1\n  plain: true\n  certificate: /x\n  key: /x\n", 2,
                "for the loopback without TLS"
            ),
            (
                "api:\n  listen: 10.0.0.1:1\n  certificate: /x\n  key: /x\n  anonymous: true\n", 5,
                "anonymous: true is allowed on the loopback only"
            ),
            ("openstack:\n  console-url: https://x/\n", 2, "ws://"),
            ("openstack:\n  console-output: best\n", 2, "use one of sound, nova"),
            (
                "outputs:\n  - {name: a, type: file, path: '/x/{vmm}.log'}\n", 2,
                "unknown placeholder {vmm}; use {vm} or {stream}"
            ),
            ("log-level: loud\n", 1, "error, warning"),
            ("- a\n", 1, "mapping"),
        ]
    )
    func errors(text: String, line: Int, words: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try read(text) }
        #expect(error?.line == line)
        #expect(error?.description.contains(words) == true, "\(error?.description ?? "none")")
        #expect(error?.description.hasPrefix("test.yaml:\(line): ") == true)
    }

    @Test(
        "conflicting consoles are reported with file and line, and do not affect the others",
        arguments: [
            ("connect: /run/a.sock\n    name: twin", "connect:/run/a.sock is the console of web/console0 already"),
            ("connect: /run//./a.sock\n    name: twin", "connect:/run/a.sock is the console of web/console0 already"),
            (
                "connect: /run/b.sock\n    name: web\n    uuid: 6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11",
                "web/console0 is captured already"
            ),
            (
                "connect: /run/b.sock\n    name: db\n    uuid: 6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11",
                "is already used by web/console0"
            ),
        ]
    )
    func conflicts(second: String, words: String) throws {
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let first = "consoles:\n  - connect: /run/a.sock\n    name: web\n    uuid: \(uuid)\n"
        #expect(try read(first).conflicts.isEmpty)
        let configuration = try read(first + "  - \(second)\n")
        let conflict = try #require(configuration.conflicts.first)
        #expect("\(conflict)".hasPrefix("test.yaml:5: "), "\(conflict)")
        #expect("\(conflict)".contains(words), "\(conflict)")
        #expect(configuration.consoles.count == 2)
        let onDemand = try read(first + "  - tcp: 127.0.0.1:1\n    name: db\n    uuid: \(uuid)\n    on-demand: true\n")
        #expect(onDemand.conflicts.isEmpty)
    }

    @Test("the settings shown are those that were read, with ages, plain files and rates")
    func shows() throws {
        let configuration = try read(
            """
            log-level: debug
            consoles:
              - {path: "/run/{name}.sock", plain-file: "/var/log/{name}", plain-backups: 7, rate: 0}
              - {connect: /run/db.sock, name: db, rate: 1MiB, burst: 2MiB}
            retention: {deleted: 1d, overrides: [{vms: "db*", size: 1MiB, age: 1h}]}
            charset: {"win-*": cp437}
            """
        )
        let shown = configuration.settings.map { "\($0.name): \($0.value)" }
        for setting in [
            "charset of win-*: cp437",
            "log-level: debug", "retention.deleted: 1d", "retention of db*: 1MiB, age 1h",
            "console: /run/{name}.sock feeds console0, plain file /var/log/{name} (2MiB, 7 backups), any rate",
            "console: connect:/run/db.sock feeds db/console0, 1MiB/s (burst 2MiB)",
        ] {
            #expect(shown.contains(setting), "\(shown)")
        }
    }

    @Test("malformed YAML is an error, not a crash", arguments: ["a: [", "\t", "a: b: c", "{", "\u{0}"])
    func noYAML(text: String) {
        #expect(throws: ConfigurationError.self) { try read(text) }
    }
}
