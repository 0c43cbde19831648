// SPDX-License-Identifier: Apache-2.0

import Libvirt
import TestTraits
import Testing

@Suite("A libvirt domain's XML", .blocking)
struct DomainXMLTests {
    private let log = "<log file='/l' append='on'/>"

    private func domain(_ devices: String) -> String {
        "<domain type='kvm'><name>vm</name><devices>\(devices)</devices></domain>"
    }

    private func parse(_ text: String) throws(DomainXMLError) -> DomainXML {
        try DomainXML(Array(text.utf8))
    }

    private func adding(_ file: String = "/l", to text: String) throws -> (change: DomainXML.Change, text: String) {
        var domain = try parse(text)
        let change = try domain.addLog(file: file)
        return (change, String(decoding: domain.text, as: UTF8.self))
    }

    private func removing(from text: String) throws -> (change: DomainXML.Change, text: String) {
        var domain = try parse(text)
        let change = try domain.removeLog()
        return (change, String(decoding: domain.text, as: UTF8.self))
    }

    @Test("the log that there is has a file")
    func logFile() throws {
        let serial = "<serial type='pty'><log file='/var/log/&amp;b' append='off'/></serial>"
        #expect(try parse(domain(serial)).logFile == "/var/log/&b")
        #expect(try parse(domain("<serial type='pty'/>")).logFile == nil)
        #expect(try parse(domain("<console type='pty'><log file='/c'/></console>")).logFile == "/c")
    }

    // MARK: Whole domains

    private let dumped = """
        <?xml version="1.0" encoding="UTF-8"?>
        <!-- written by a > person's "hand" -->
        <domain type='kvm' id='3' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
          <name>a&amp;b &#x41;</name>
          <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
          <metadata>
            <x:devices xmlns:x='urn:x'><serial><log file='/not/this'/></serial></x:devices>
            <devices><serial type='pty'><log file='/nor/this'/></serial></devices>
          </metadata>
          <description><![CDATA[<serial type='pty'>]]> &lt;log&gt;</description>
          <devices>
            <emulator>/usr/bin/qemu-system-x86_64</emulator>
            <channel type='unix'>
              <source mode='bind' path='/run/agent.sock'/>
              <target type='virtio' name='a>b'/>
            </channel>
            <console type='pty'>
              <target type='virtio' port='1'/>
            </console>
            <serial type='pty'>
              <source path='/dev/pts/4'/>
              <target type='isa-serial' port='0'>
                <model name='isa-serial'/>
              </target>
              <alias name='serial0'/>
            </serial>
            <serial type='pty'>
              <target port='1'/>
            </serial>
            <console type='pty' tty='/dev/pts/4'>
              <target type='serial' port='0'/>
            </console>
          </devices>
          <qemu:commandline>
            <qemu:arg value='-serial'/>
          </qemu:commandline>
        </domain>

        """

    private var dumpedAndLogged: String {
        let path = "/var/log/vm.log"
        let source = "      <source path='/dev/pts/4'/>\n"
        let target = "      <target type='serial' port='0'/>\n"
        let line = "      <log file='\(path)' append='on'/>\n"
        return replacing(source, by: source + line, in: replacing(target, by: line + target, in: dumped))
    }

    private func replacing(_ part: String, by other: String, in text: String) -> String {
        text.split(separator: part, omittingEmptySubsequences: false).joined(separator: other)
    }

    @Test("its name and UUID are read with their references resolved")
    func names() throws {
        let domain = try parse(dumped)
        #expect(domain.name == "a&b A")
        #expect(domain.uuid == "4dea22b3-1d52-d8f3-2516-782e98ab3fa0")
        let spelt = "<name>&lt;&gt;&quot;&apos;&#65;&#xe4;<!-- no --><![CDATA[&]]></name>"
        let named = try parse("<domain><a><name>no</name></a>\(spelt)</domain>")
        #expect(named.name == "<>\"'Aä&")
        #expect(named.uuid == nil)
        #expect(try parse("<domain/>").name == nil)
    }

    @Test("a dumped domain gets two lines, and no other byte is changed")
    func dump() throws {
        let logged = try adding("/var/log/vm.log", to: dumped)
        #expect(logged.change == .added)
        #expect(logged.text == dumpedAndLogged)
        #expect(try removing(from: logged.text) == (.removed, dumped))
    }

    @Test("CR LF line ends and a byte order mark are kept, and new lines end like the others")
    func carriageReturns() throws {
        let text = "\u{feff}" + replacing("\n", by: "\r\n", in: dumped)
        let logged = try adding("/var/log/vm.log", to: text)
        #expect(logged.text == "\u{feff}" + replacing("\n", by: "\r\n", in: dumpedAndLogged))
        #expect(try removing(from: logged.text).text == text)
    }

    @Test("in Nova's domain the log's values are changed within their quotes")
    func nova() throws {
        let path = "/var/lib/nova/instances/4dea22b3-1d52-d8f3-2516-782e98ab3fa0/console.log"
        func nova(_ log: String) -> String {
            """
            <domain type="kvm">
              <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
              <name>instance-00000001</name>
              <devices>
                <serial type="tcp">
                  <source mode="bind" host="127.0.0.1" service="10000"/>
                  \(log)
                  <protocol type="raw"/>
                  <target port="0"/>
                </serial>
                <console type="tcp">
                  <source mode="bind" host="127.0.0.1" service="10000"/>
                  \(log)
                  <target type="serial" port="0"/>
                </console>
              </devices>
            </domain>
            """
        }
        let before = nova(#"<log file="\#(path)" append="off"/>"#)
        let appending = nova(#"<log file="\#(path)" append="on"/>"#)
        let elsewhere = nova(#"<log file="/a&quot;'&amp;" append="on"/>"#)
        #expect(try adding(path, to: before) == (.changed, appending))
        #expect(try adding(path, to: appending) == (.alreadyThere, appending))
        #expect(try adding("/a\"'&", to: appending) == (.changed, elsewhere))
        #expect(try adding("/a\"'&", to: elsewhere) == (.alreadyThere, elsewhere))
        #expect(try removing(from: before).text == replacing("      \n", by: "", in: nova("")))
    }

    // MARK: Which device

    @Test(
        "the serial device and its console are found among the others",
        arguments: [
            ("<serial type='pty'/>", "<serial type='pty'>LOG</serial>"),
            ("<serial type='pty' />", "<serial type='pty' >LOG</serial>"),
            ("<serial/><serial/>", "<serial>LOG</serial><serial/>"),
            ("<console/><serial/><console/>", "<console>LOG</console><serial>LOG</serial><console/>"),
            ("<console type='pty'/>", "<console type='pty'>LOG</console>"),
            ("<console><target port='0'/></console>", "<console>LOG<target port='0'/></console>"),
            ("<console><target type='serial'/></console>", "<console>LOG<target type='serial'/></console>"),
            (
                "<console><target type='virtio'/></console><serial/><console><target type='serial'/></console>",
                "<console><target type='virtio'/></console><serial>LOG</serial>"
                    + "<console>LOG<target type='serial'/></console>"
            ),
            ("<x><serial/><log/></x><serial/>", "<x><serial/><log/></x><serial>LOG</serial>"),
            ("</devices><devices><serial/>", "</devices><devices><serial>LOG</serial>"),
            ("<q:serial/><serial/>", "<q:serial/><serial>LOG</serial>"),
            ("<!--<serial/>--><serial/>", "<!--<serial/>--><serial>LOG</serial>"),
            ("<?x <serial/>?><serial/>", "<?x <serial/>?><serial>LOG</serial>"),
            ("<![CDATA[<serial/>]]><serial/>", "<![CDATA[<serial/>]]><serial>LOG</serial>"),
            ("<a b='>'/><a b=\"/>'\"/><serial/>", "<a b='>'/><a b=\"/>'\"/><serial>LOG</serial>"),
            ("<serial><a><log/></a></serial>", "<serial>LOG<a><log/></a></serial>"),
        ]
    )
    func devices(_ before: String, _ after: String) throws {
        let text = domain(replacing("LOG", by: log, in: after))
        #expect(try adding(to: domain(before)) == (.added, text))
        #expect(try adding(to: text) == (.alreadyThere, text))
        #expect(try removing(from: text) == (.removed, domain(before)))
        #expect(try removing(from: domain(before)) == (.notThere, domain(before)))
    }

    @Test("a domain that cannot have a log is an error with a remedy, and is not changed")
    func refusals() throws {
        for (text, expected, remedy) in [
            ("<domain/>", .noDevices, "<serial type='pty'><target port='0'/></serial>"),
            (domain(""), .noSerial, "<serial type='pty'><target port='0'/></serial>"),
            (domain("<console><target type='virtio'/></console>"), .noSerial, "add <serial"),
            (domain("<graphics autoattach='no'/>"), .noSerial, "add <serial"),
            (domain("<serial type='file'><source path='/f'/></serial>"), .alreadyFile, "'pty'"),
            (domain("<console type='file'/>"), .alreadyFile, "'pty'"),
        ] as [(String, DomainXMLError, String)] {
            var domain = try parse(text)
            let error = #expect(throws: DomainXMLError.self) { try domain.addLog(file: "/l") }
            #expect(error == expected)
            #expect(error?.description.contains(remedy) == true)
            #expect(domain.text == Array(text.utf8))
            #expect(try domain.removeLog() == .notThere)
        }
    }

    @Test("an element other than <domain> is refused", arguments: ["<network/>", "<domains/>", "<x:domain/>"])
    func otherRoot(_ text: String) {
        #expect(throws: DomainXMLError.notDomain) { try parse(text) }
    }

    // MARK: Where in the device

    @Test(
        "a new log is inserted after the source or at the front, on its own line if its neighbour has one",
        arguments: [
            ("", "LOG"),
            ("\n", "LOG\n"),
            ("<source/>", "<source/>LOG"),
            ("<source></source><target/>", "<source></source>LOG<target/>"),
            ("<target/><source/>", "<target/><source/>LOG"),
            ("<source m='a'/><source m='b'/>", "<source m='a'/><source m='b'/>LOG"),
            ("\n  <source/>\n", "\n  <source/>\n  LOG\n"),
            ("\n\t<source/> \t\n\t<target/>\n", "\n\t<source/> \t\n\tLOG\n\t<target/>\n"),
            ("\r\n <source>\r\n <a/>\r\n </source>\r\n", "\r\n <source>\r\n <a/>\r\n </source>\r\n LOG\r\n"),
            ("\n  <source/><target/>\n", "\n  <source/>LOG<target/>\n"),
            ("\n  <source/> <!-- x -->\n", "\n  <source/>LOG <!-- x -->\n"),
            ("<source/>\n", "<source/>LOG\n"),
            ("\n  <target/>\n", "\n  LOG\n  <target/>\n"),
            (" \n\n    <target/>", " \n    LOG\n\n    <target/>"),
            ("\n<target/>\n", "\nLOG\n<target/>\n"),
            (" <target/>\n", "LOG <target/>\n"),
            ("<!-- x -->\n  <target/>\n", "LOG<!-- x -->\n  <target/>\n"),
            ("\n<!-- x --><target/>\n", "LOG\n<!-- x --><target/>\n"),
        ]
    )
    func places(_ before: String, _ after: String) throws {
        let plain = domain("\n<serial type='pty'>\(before)</serial>\n")
        let logged = domain("\n<serial type='pty'>\(replacing("LOG", by: log, in: after))</serial>\n")
        #expect(try adding(to: plain) == (.added, logged))
        // A pair of tags without contents may have been a single one before.
        let removed = before.isEmpty ? domain("\n<serial type='pty'/>\n") : plain
        #expect(try removing(from: logged) == (.removed, removed))
    }

    @Test(
        "a log that differs is changed in as few places as possible",
        arguments: [
            ("<log file='/l' append='on'/>", "<log file='/l' append='on'/>"),
            ("<log append=\"on\" file=\"&#x2f;&#108;\"></log>", "<log append=\"on\" file=\"&#x2f;&#108;\"></log>"),
            ("<log file='/l' append='off'/>", "<log file='/l' append='on'/>"),
            ("<log  append = 'off'\n file\t=\t\"/x\" />", "<log  append = 'on'\n file\t=\t\"/l\" />"),
            ("<log file=\"/x\"/>", "<log file=\"/l\" append=\"on\"/>"),
            ("<log file='/l' />", "<log file='/l' append='on' />"),
            ("<log append='on'></log>", "<log append='on' file='/l'></log>"),
            ("<log/>", "<log file='/l' append='on'/>"),
        ]
    )
    func changes(_ before: String, _ after: String) throws {
        let (plain, logged) = (domain("<serial>\(before)</serial>"), domain("<serial>\(after)</serial>"))
        #expect(try adding(to: plain) == (before == after ? .alreadyThere : .changed, logged))
    }

    @Test("a log on one of the two is added to the other")
    func agreement() throws {
        let both = domain("<serial>\(log)</serial><console>\(log)</console>")
        #expect(try adding(to: domain("<serial>\(log)</serial><console/>")) == (.added, both))
        #expect(try adding(to: domain("<serial/><console><log file='/x'/></console>")) == (.added, both))
        #expect(try removing(from: both) == (.removed, domain("<serial/><console/>")))
    }

    @Test("all of a device's logs are removed, each with its line if it is alone on it")
    func removal() throws {
        let text = domain("<serial>\n  <log\n  file='/a'/> \r\n  <log/><a/>\n<log>\n</log>\n <a/><log/></serial>")
        #expect(try removing(from: text) == (.removed, domain("<serial>\n  <a/>\n <a/></serial>")))
        #expect(try removing(from: domain("<serial><log/><log/></serial>")).text == domain("<serial/>"))
    }

    // MARK: The file's path

    @Test("a path is unchanged after escaping and parsing")
    func escaping() throws {
        let path = "/var/log/<a> & \"b\" 'c' ä\u{308}.log"
        let logged = try adding(path, to: domain("<serial/>"))
        let escaped = "/var/log/&lt;a&gt; &amp; \"b\" &apos;c&apos; ä\u{308}.log"
        #expect(logged.text == domain("<serial><log file='\(escaped)' append='on'/></serial>"))
        #expect(try adding(path, to: logged.text).change == .alreadyThere)
    }

    @Test("letters that look the same but are other bytes are another path")
    func composition() throws {
        let logged = try adding("/\u{e4}", to: domain("<serial/>"))
        let changed = try adding("/a\u{308}", to: logged.text)
        #expect(changed.change == .changed)
        #expect(changed.text.utf8.count == logged.text.utf8.count + 1)
    }

    @Test(
        "a path that is relative or contains a control character is refused",
        arguments: ["", "l", "./l", " /l", "/a\nb", "/a\0", "/\u{1b}[m", "/\u{7f}", "/\u{9b}", "/\u{fffe}"]
    )
    func paths(_ path: String) throws {
        var domain = try parse(domain("<serial/>"))
        let error = #expect(throws: DomainXMLError.self) { try domain.addLog(file: path) }
        guard case .invalidPath = error else {
            Issue.record("\(path.debugDescription) gave \(String(describing: error))")
            return
        }
        #expect(error?.description.unicodeScalars.allSatisfy { $0.value >= 0x20 } == true)
    }

    // MARK: What is not XML

    @Test(
        "malformed XML is refused at the byte where it is",
        arguments: [
            ("", 0), (" ", 1), ("x", 0), ("<domain>", 0), ("<domain/><domain/>", 9), ("<domain/>x", 9),
            ("</domain>", 0), ("<domain></domian>", 8), ("<domain><a></domain></a>", 11), ("<domain", 7),
            ("<domain/", 8), ("<", 1), ("<domain/ >", 8), ("< domain/>", 1), ("<1/>", 1), ("<!x/>", 1),
            ("<domain a/>", 9), ("<domain a=1/>", 10), ("<domain a='1/>", 11), ("<domain a='<'/>", 11),
            ("<domain a='1'b='2'/>", 13), ("<domain a='&x;'/>", 11),
            ("<domain>a & b</domain>", 10), ("<domain>&amp</domain>", 8), ("<domain>&#0;</domain>", 8),
            ("<domain>&#xd800;</domain>", 8), ("<domain>&#x110000;</domain>", 8), ("<domain>&#+65;</domain>", 8),
            ("<domain>&#99999999999;</domain>", 8), ("<domain>&#;</domain>", 8), ("<domain>&#x;</domain>", 8),
            ("<domain>&#xfffe;</domain>", 8), ("<domain><!-- </domain>", 12), ("<domain><![CDATA[ ]]", 17),
            ("<?xml", 2), ("<domain>\u{1b}</domain>", 8), ("<domain>\0</domain>", 8), ("<domain></domain x>", 17),
        ]
    )
    func malformed(_ text: String, _ expected: Int) {
        let error = #expect(throws: DomainXMLError.self) { try parse(text) }
        guard case .malformed(let offset, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(offset == expected)
        #expect(error?.description.contains("byte \(expected)") == true)
    }

    @Test("bytes that are not UTF-8 are refused")
    func encoding() {
        let latin = Array("<domain><name>".utf8) + [0xe4] + Array("</name></domain>".utf8)
        #expect(throws: DomainXMLError.malformed(offset: 14, what: "not UTF-8")) { try DomainXML(latin) }
    }

    @Test("a document type is refused, with or without entities of its own")
    func documentType() {
        let bomb = "<!DOCTYPE domain [<!ENTITY a 'aa'><!ENTITY b '&a;&a;'>]><domain><name>&b;</name></domain>"
        #expect(throws: DomainXMLError.documentType(offset: 0)) { try parse(bomb) }
        #expect(throws: DomainXMLError.documentType(offset: 1)) { try parse("\n<!DOCTYPE domain><domain/>") }
    }

    @Test("elements may be nested 256 deep, and no deeper")
    func depth() throws {
        func nested(_ depth: Int) -> String {
            let inner = depth - 1
            return "<domain>" + String(repeating: "<a>", count: inner) + String(repeating: "</a>", count: inner)
                + "</domain>"
        }
        _ = try parse(nested(256))
        #expect(throws: DomainXMLError.self) { try parse(nested(257)) }
        #expect(throws: DomainXMLError.self) { try parse(nested(200_000)) }
    }

    @Test("a text of a megabyte is scanned once, not once for each element")
    func linear() throws {
        let many = 20_000
        for piece in [
            "<console><target type='virtio'/></console>", "<serial/>", "<!---->", "&amp;", "]]>", "\n  ",
            "</devices><devices>",
        ] {
            let text = domain(String(repeating: piece, count: many) + "<serial/>")
            let logged = try adding(to: text)
            #expect(try removing(from: logged.text).text == text)
        }
        let logs = String(repeating: "  <log/>\n", count: many)
        #expect(try removing(from: domain("<serial>\n\(logs)</serial>")).text == domain("<serial>\n</serial>"))
        let attributes = (0..<many).map { " a\($0)='&lt;'" }.joined()
        #expect(try adding(to: domain("<serial\(attributes)/>")).change == .added)
    }

    // MARK: At random

    @Test("a log that was added to any domain can be removed, which restores the domain")
    func roundTrip() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Random(state: seed)
        for round in 0..<3000 {
            let text = random.domain()
            let logged = try adding("/l'\"", to: text)
            let about: Comment = "seed \(seed), round \(round): \(text.debugDescription)"
            try #require(logged.change == .added, about)
            try #require(adding("/l'\"", to: logged.text).change == .alreadyThere, about)
            try #require(adding("/other", to: logged.text).change == .changed, about)
            try #require(removing(from: logged.text) == (.removed, text), about)
            try #require(removing(from: text) == (.notThere, text), about)
        }
    }

    @Test("random damage causes no crash")
    func damage() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Random(state: seed)
        for round in 0..<3000 {
            let bytes = random.damaged(Array(dumpedAndLogged.utf8))
            guard var domain = try? DomainXML(bytes) else {
                continue
            }
            #expect(domain.text == bytes, "seed \(seed), round \(round)")
            guard (try? domain.addLog(file: "/l")) != nil else {
                continue
            }
            let change = try? domain.addLog(file: "/l")
            #expect(change == .alreadyThere, "seed \(seed), round \(round)")
            let removed = try? domain.removeLog()
            #expect(removed == .removed, "seed \(seed), round \(round)")
        }
    }
}

/// Random domains and damage, reproducible from a seed (a linear congruential generator, its high bits used).
private struct Random {
    var state: UInt64

    private mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    private mutating func one(of choices: [String]) -> String {
        choices[below(choices.count)]
    }

    private mutating func some(of choices: [String]) -> String {
        (0..<below(5)).map { _ in one(of: choices) }.joined()
    }

    private mutating func space() -> String {
        one(of: ["", "", " ", "\t", "\n", "\n    ", "\r\n  ", " \n\t", "\n\n  ", "<!-- <log/> -->", "\r", "text"])
    }

    private mutating func device(_ name: String) -> String {
        let quote = one(of: ["'", "\""])
        let start = "<\(name) type=\(quote)pty\(quote) note = \(quote)a>&lt;/\(quote)\(one(of: ["", " ", "\n"]))"
        if below(5) == 0 {
            return start + "/>"
        }
        let children = (0..<below(4)).map { _ in
            space()
                + one(of: [
                    "<source path='/dev/pts/1'/>", "<source>\n  <seclabel/>\n  </source>", "<target port='0'/>",
                    "<alias name='serial0'/>", "<x:log/>", "<![CDATA[</serial>]]>", "<a><log/></a>",
                ])
                + space()
        }
        // Never empty: that would be restored as a self-closing element.
        let content = children.joined()
        return "\(start)>\(content.isEmpty ? " " : content)</\(name) >"
    }

    mutating func domain() -> String {
        let others = ["<disk><log/></disk>", "<console><target type='virtio'/></console>", "\n  ", "<!-- > -->", "ä"]
        let before = some(of: others)
        let devices = [device("serial"), space(), below(2) == 0 ? device("console") : "", some(of: others)].joined()
        return "\(one(of: ["", "\u{feff}", "<?xml version='1.0'?>\r\n"]))<domain>\(space())<devices>\(before)\(devices)"
            + "</devices>\(space())</domain>\n"
    }

    mutating func damaged(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        let meaningful = Array("<>/!?-[]&;#x='\" \n".utf8)
        for _ in 0...below(3) {
            let place = below(bytes.count)
            switch below(4) {
            case 0: bytes[place] = UInt8(below(256))
            case 1: bytes[place] = meaningful[below(meaningful.count)]
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + below(40)))
            default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 1 + below(40))], at: place)
            }
        }
        return bytes
    }
}
