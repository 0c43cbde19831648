// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestServers
import TestSupport
import TestTraits
import Testing

/// Programs that receive logs, each where it is installed.
private enum Receiver {
    static let rsyslogd = installed("/usr/sbin/rsyslogd")
    static let relp = installed(
        "/usr/lib/x86_64-linux-gnu/rsyslog/imrelp.so",
        "/usr/lib/aarch64-linux-gnu/rsyslog/imrelp.so"
    )
    static let elasticsearchModule = installed(
        "/usr/lib/x86_64-linux-gnu/rsyslog/omelasticsearch.so",
        "/usr/lib/aarch64-linux-gnu/rsyslog/omelasticsearch.so"
    )
    static let haproxy = installed("/usr/sbin/haproxy")
    /// A Python with the packages of Clients/requirements-outputs.txt.
    static let python = Program.variable("GUESTLOG_OUTPUT_CLIENTS").flatMap { installed($0 + "/python3") }

    /// The collector in that Python's packages.
    static let rotel: String? = {
        guard let python else {
            return nil
        }
        let library = python.split(separator: "/").dropLast(2).map { "/" + $0 }.joined() + "/lib"
        return FileText.names(in: library).compactMap { installed("\(library)/\($0)/site-packages/rotel/rotel-agent") }
            .first
    }()

    private static func installed(_ paths: String...) -> String? { paths.first { access($0, R_OK) == 0 } }
}

/// A daemon with outputs, and a console that a test writes.
private final class OutputSite {
    let site: Site
    private let console: Chardev

    /// `outputs` is the section of the configuration.
    init(_ outputs: String) throws {
        site = try Site(extra: "outputs:\n" + outputs)
        // An output sends what is stored after its begin, which may be later than the daemon's.
        let states = site.path + "/store/outputs"
        let count = outputs.split(separator: "\n").count { $0.contains("name:") }
        #expect(eventually { ProcFile.names(in: states).count { $0.hasSuffix(".state") } == count })
        console = try Chardev(site.path + "/vms/web.sock")
        try console.accept()
    }

    var path: String { site.path }

    func emit(_ range: Range<Int>) {
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 500) {
            console.emit((start..<min(range.upperBound, start + 500)).map { "line \($0)\n" }.joined())
        }
    }

    /// Kills the daemon when it has stored the line `last`, and starts the next one, which continues with the console.
    /// What is in the console's socket when a daemon is killed is lost, whatever an output does.
    func killDaemon(after last: Int) throws {
        #expect(try site.sees("line \(last)\n", from: "web"))
        site.stop(SIGKILL)
        try site.start()
        try console.accept()
    }

    /// The state of an output, as the command line shows it.
    func status(_ name: String) -> JSON? {
        let answer = site.guestlog("outputs", "status", "-o", "json", by: .socket)
        return answer.text.split(separator: "\n").compactMap { try? JSON(parsing: $0.utf8) }.first {
            $0["name"]?.text == name
        }
    }
}

/// The guest's lines without repeats, in the order of their first occurrences: a daemon that was killed adds records of
/// its own.
private func firsts(_ lines: [String]) -> [String] {
    var known: Set<String> = []
    return lines.filter { $0.hasPrefix("line ") && known.insert($0).inserted }
}

private func expected(_ count: Int) -> [String] { (0..<count).map { "line \($0)" } }

@Suite(.blocking, .serialized) struct OutputTests {
    /// An rsyslogd that writes what arrives over each transport to a file of its own, the text alone.
    private func rsyslog(in path: String, ports: [UInt16], relp: Bool) -> ChildProcess {
        let relpLines =
            relp ? #"module(load="imrelp")\#ninput(type="imrelp" address="127.0.0.1" port="\#(ports[2])")"# : ""
        FileText.write(
            """
            global(workDirectory="\(path)")
            # An acknowledgement then means that the file was written, not that a message is in memory.
            main_queue(queue.type="direct")
            module(load="imuxsock" SysSock.Use="off")
            module(load="imudp")
            module(load="imtcp")
            \(relpLines)
            input(type="imuxsock" Socket="\(path)/log.sock" RateLimit.Interval="0")
            input(type="imudp" address="127.0.0.1" port="\(ports[0])")
            input(type="imtcp" address="127.0.0.1" port="\(ports[1])")
            template(name="bare" type="list") { property(name="msg" droplastlf="on") constant(value="\\n") }
            template(name="file" type="string" string="\(path)/%inputname%.txt")
            action(type="omfile" dynaFile="file" template="bare")

            """,
            to: path + "/rsyslog.conf"
        )
        let words = ["/usr/sbin/rsyslogd", "-n", "-f", path + "/rsyslog.conf", "-i", path + "/rsyslog.pid"]
        return ChildProcess(words, name: "rsyslogd", in: path)
    }

    private func ports(_ count: Int, from first: UInt16) throws -> [UInt16] {
        var ports: [UInt16] = []
        while ports.count < count {
            ports.append(try ComputeHost.freeAddress(from: (ports.last.map { $0 + 1 }) ?? first).port)
        }
        return ports
    }

    @Test(
        "a real rsyslogd gets every line over a Unix socket, UDP, TCP and RELP",
        .enabled(if: Receiver.rsyslogd != nil && Receiver.relp != nil, "needs Debian's rsyslog and rsyslog-relp")
    )
    func transports() throws {
        let folder = TemporaryFolder()
        let ports = try ports(3, from: 20_514)
        let daemon = rsyslog(in: folder.path, ports: ports, relp: true)
        #expect(eventually { access(folder.path + "/log.sock", F_OK) == 0 }, "\(daemon.standardError)")
        let host = try OutputSite(
            """
              - { name: unix, type: syslog, to: '\(folder.path)/log.sock' }
              - { name: udp, type: syslog, to: 'udp://127.0.0.1:\(ports[0])' }
              - { name: tcp, type: syslog, to: 'tcp://127.0.0.1:\(ports[1])' }
              - { name: relp, type: syslog, to: 'relp://127.0.0.1:\(ports[2])' }

            """
        )
        host.emit(0..<2000)
        func lines(_ input: String) -> [String] {
            FileText.text(folder.path + "/\(input).txt").split(separator: "\n").map { String($0.drop { $0 == " " }) }
        }
        for input in ["imuxsock", "imtcp", "imrelp"] {
            #expect(eventually { lines(input).count >= 2000 }, "\(input): \(daemon.standardError)")
            #expect(lines(input) == expected(2000), "\(input)")
        }
        // UDP may lose any of them, and neither side knows.
        let isOrdered = eventually {
            let arrived = lines("imudp")
            let known = Set(arrived)
            return !arrived.isEmpty && arrived == expected(2000).filter { known.contains($0) }
        }
        #expect(isOrdered, "\(lines("imudp").count) lines")
        #expect(eventually { host.status("relp")?["delivered"]?.integer == 2000 })
    }

    @Test(
        "over RELP no line is lost, and the order is kept, when both ends are killed again and again",
        .enabled(if: Receiver.rsyslogd != nil && Receiver.relp != nil, "needs Debian's rsyslog and rsyslog-relp")
    )
    func kills() throws {
        let folder = TemporaryFolder()
        let ports = try ports(3, from: 21_514)
        let kills = Program.variable("GUESTLOG_OUTPUT_KILLS").flatMap { Int($0) } ?? 20
        var daemon = rsyslog(in: folder.path, ports: ports, relp: true)
        let host = try OutputSite(
            "  - { name: relp, type: syslog, to: 'relp://127.0.0.1:\(ports[2])', interval: 1ms }\n"
        )
        let file = folder.path + "/imrelp.txt"
        let perKill = 200
        for kill in 0..<kills {
            host.emit(kill * perKill..<(kill + 1) * perKill)
            let awaited = FileText.size(below: folder.path)
            _ = eventually(within: Double(kill % 5) / 10) { FileText.size(below: folder.path) > awaited + 1000 }
            if kill % 2 == 0 {
                daemon.stop(SIGKILL)
                daemon = rsyslog(in: folder.path, ports: ports, relp: true)
            } else {
                try host.killDaemon(after: (kill + 1) * perKill - 1)
            }
        }
        let count = kills * perKill
        func arrived() -> [String] {
            firsts(FileText.text(file).split(separator: "\n").map { String($0.drop { $0 == " " }) })
        }
        #expect(eventually(within: 90) { arrived().count >= count }, "\(arrived().count) of \(count)")
        #expect(arrived() == expected(count))
    }

    @Test(
        "OpenTelemetry's own definitions decode what is sent, with ids, rising times and the VM",
        .enabled(
            if: Receiver.python != nil,
            "needs GUESTLOG_OUTPUT_CLIENTS: a folder with python3 and opentelemetry-proto"
        )
    )
    func otlp() throws {
        let folder = TemporaryFolder()
        let script = Program.repository + "/Tests/EndToEndTests/Clients/otlp_receiver.py"
        let file = folder.path + "/records"
        let receiver = ChildProcess([Receiver.python ?? "", script, file], name: "receiver", in: folder.path)
        #expect(eventually { receiver.text.contains("\n") }, "\(receiver.standardError)")
        let port = receiver.text.prefix { $0.isNumber }
        let host = try OutputSite("  - { name: otlp, type: otlp, url: 'http://127.0.0.1:\(port)' }\n")
        host.emit(0..<3000)
        #expect(eventually { FileText.text(file).split(separator: "\n").count >= 3000 }, "\(receiver.standardError)")
        let records = FileText.text(file).split(separator: "\n").map { $0.split(separator: "\t", maxSplits: 3) }
        #expect(records.map { String($0[3]) } == expected(3000))
        #expect(records.allSatisfy { $0[2] == "web" && $0[1].hasPrefix("web/console0/") })
        #expect(Set(records.map { $0[1] }).count == 3000)
        let times = records.compactMap { Int64($0[0]) }
        #expect(times == times.sorted() && Set(times).count == 3000)
    }

    @Test(
        "msgpack's own decoder reads each mode of the Forward protocol, with times to the nanosecond",
        .enabled(if: Receiver.python != nil, "needs GUESTLOG_OUTPUT_CLIENTS: a folder with python3 and msgpack"),
        arguments: ["forward", "packed", "compressed"]
    )
    func forward(mode: String) throws {
        let folder = TemporaryFolder()
        let script = Program.repository + "/Tests/EndToEndTests/Clients/forward_receiver.py"
        let file = folder.path + "/entries"
        let receiver = ChildProcess([Receiver.python ?? "", script, file], name: "receiver", in: folder.path)
        #expect(eventually { receiver.text.contains("\n") }, "\(receiver.standardError)")
        let port = receiver.text.prefix { $0.isNumber }
        let host = try OutputSite(
            "  - { name: fluentd, type: forward, servers: ['127.0.0.1:\(port)'], mode: \(mode) }\n"
        )
        host.emit(0..<1000)
        #expect(eventually { FileText.text(file).split(separator: "\n").count >= 1000 }, "\(receiver.standardError)")
        let entries = FileText.text(file).split(separator: "\n").map { $0.split(separator: "\t", maxSplits: 4) }
        #expect(entries.map { String($0[4]) } == expected(1000))
        #expect(entries.allSatisfy { $0[0] == "guestlog.web.console0" && $0[3].hasPrefix("web/console0/") })
        let times = entries.compactMap { entry in
            Int64(entry[1]).flatMap { s in Int64(entry[2]).map { s * 1_000_000_000 + $0 } }
        }
        #expect(times.count == 1000 && times == times.sorted() && Set(times).count == 1000)
        #expect(eventually { host.status("fluentd")?["delivered"]?.integer == 1000 })
    }

    @Test(
        "rotel, a collector written by others, accepts what is sent",
        .enabled(if: Receiver.rotel != nil, "needs GUESTLOG_OUTPUT_CLIENTS: a folder with python3 and rotel")
    )
    func rotel() throws {
        let folder = TemporaryFolder()
        let ports = try ports(2, from: 24_317)
        let words = [
            Receiver.rotel ?? "", "start", "--otlp-http-endpoint", "127.0.0.1:\(ports[0])", "--otlp-grpc-endpoint",
            "127.0.0.1:\(ports[1])", "--exporter", "blackhole", "--debug-log", "logs", "--debug-log-verbosity",
            "detailed",
        ]
        let collector = ChildProcess(words, name: "rotel", in: folder.path)
        let host = try OutputSite("  - { name: otlp, type: otlp, url: 'http://127.0.0.1:\(ports[0])' }\n")
        host.emit(0..<10)
        #expect(
            eventually { host.status("otlp")?["delivered"]?.integer == 10 },
            "\(host.status("otlp") ?? .null) \(collector.text.suffix(500)) \(collector.standardError.suffix(500))"
        )
        #expect(eventually { (collector.text + collector.standardError).contains("line 9") })
    }

    @Test(
        "the stand-in for Elasticsearch answers rsyslog's omelasticsearch as it answers us",
        .enabled(
            if: Receiver.rsyslogd != nil && Receiver.elasticsearchModule != nil,
            "needs Debian's rsyslog and rsyslog-elasticsearch"
        )
    )
    func omelasticsearch() throws {
        let folder = TemporaryFolder()
        let (theirs, ours) = (StandInIndex(), StandInIndex())
        let (first, second) = (try StandInServer { theirs.take($0) }, try StandInServer { ours.take($0) })
        FileText.write(
            """
            global(workDirectory="\(folder.path)")
            module(load="imuxsock" SysSock.Use="off")
            module(load="omelasticsearch")
            input(type="imuxsock" Socket="\(folder.path)/log.sock" RateLimit.Interval="0")
            template(name="document" type="list") {
                constant(value="{") property(name="msg" format="jsonf" outname="message") constant(value="}")
            }
            template(name="id" type="string" string="%uuid%")
            action(type="omelasticsearch" server="127.0.0.1" serverport="\(first.port)" template="document" bulkmode="on"
                searchIndex="logs" searchType="" writeoperation="create" dynBulkId="on" bulkId="id" skipverifyhost="on")

            """,
            to: folder.path + "/rsyslog.conf"
        )
        let words = [
            "/usr/sbin/rsyslogd", "-n", "-f", folder.path + "/rsyslog.conf", "-i", folder.path + "/rsyslog.pid",
        ]
        let daemon = ChildProcess(words, name: "rsyslogd", in: folder.path)
        #expect(eventually { access(folder.path + "/log.sock", F_OK) == 0 }, "\(daemon.standardError)")
        let host = try OutputSite(
            """
              - { name: rsyslog, type: syslog, to: '\(folder.path)/log.sock' }
              - { name: bulk, type: elasticsearch, url: '\(second.url)' }

            """
        )
        host.emit(0..<300)
        #expect(eventually { theirs.messages.count >= 300 }, "\(theirs.messages.count) \(daemon.standardError)")
        #expect(eventually { ours.messages.count >= 300 })
        #expect(theirs.messages.map { String($0.drop { $0 == " " }) } == expected(300))
        #expect(ours.messages == expected(300))
    }

    @Test(
        "a proxy that closes idle connections between two records costs no error and no repeat",
        .enabled(if: Receiver.haproxy != nil, "needs Debian's haproxy")
    )
    func haproxy() throws {
        let folder = TemporaryFolder()
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let port = try ports(1, from: 25_000)[0]
        FileText.write(
            """
            defaults
              mode http
              timeout connect 5s
              timeout client 5s
              timeout server 5s
              timeout http-keep-alive 100ms
            listen engine
              bind 127.0.0.1:\(port)
              server one 127.0.0.1:\(server.port)

            """,
            to: folder.path + "/haproxy.cfg"
        )
        let proxy = ChildProcess(
            ["/usr/sbin/haproxy", "-f", folder.path + "/haproxy.cfg"],
            name: "haproxy",
            in: folder.path
        )
        #expect(
            eventually { (try? NetworkAddress(host: "127.0.0.1", port: port)?.connect()) != nil },
            "\(proxy.standardError)"
        )
        let host = try OutputSite(
            "  - { name: bulk, type: elasticsearch, url: 'http://127.0.0.1:\(port)', interval: 1ms }\n"
        )
        for number in 0..<12 {
            host.emit(number..<number + 1)
            #expect(eventually { index.messages.count == number + 1 })
            // Longer and shorter than the proxy waits.
            usleep(number % 2 == 0 ? 150_000 : 95_000)
        }
        #expect(index.messages == expected(12))
        #expect(index.repeats == 0)
        #expect(host.status("bulk")?["retries"]?.integer == 0)
    }

    @Test("a daemon that is killed again and again delivers every line in order, with repeats of the same id only")
    func killedDaemon() throws {
        let index = StandInIndex()
        let server = try StandInServer { index.take($0) }
        let host = try OutputSite("  - { name: bulk, type: elasticsearch, url: '\(server.url)', interval: 1ms }\n")
        let kills = Program.variable("GUESTLOG_OUTPUT_KILLS").flatMap { Int($0) } ?? 20
        for kill in 0..<kills {
            host.emit(kill * 100..<(kill + 1) * 100)
            try host.killDaemon(after: (kill + 1) * 100 - 1)
        }
        #expect(eventually(within: 60) { firsts(index.messages).count >= kills * 100 }, "\(index.messages.count)")
        #expect(index.messages.filter { $0.hasPrefix("line ") } == expected(kills * 100))
    }
}
