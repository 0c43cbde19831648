// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct SyslogMessageTests {
    /// 2026-06-15T12:00:00Z.
    private static let june = Timestamp(utc: CivilTime(year: 2026, month: 6, day: 15, hour: 12))

    private func parse(_ bytes: [UInt8], received: Timestamp = june, zone: LocalZone = .utc) -> SyslogMessage? {
        bytes.withUnsafeBytes { SyslogMessage(parsing: $0, received: received, zone: zone) }
    }

    private func parse(_ text: String, received: Timestamp = june, zone: LocalZone = .utc) -> SyslogMessage? {
        parse(Array(text.utf8), received: received, zone: zone)
    }

    private func text(_ bytes: [UInt8]?) -> String? {
        bytes.map { String(decoding: $0, as: UTF8.self) }
    }

    private func time(_ message: SyslogMessage?) -> String? {
        message?.time.map { Timestamp.rfc3339(nanoseconds: $0) }
    }

    // MARK: - PRI

    @Test(
        "PRI is up to five bytes, and its severity is the number's last three bits",
        arguments: [
            ("<117>", 5, Severity.notice), ("<0> this should work", 3, .emergency), ("<999>", 5, .debug),
            ("<13>", 4, .notice),
        ]
    )
    func priority(_ text: String, length: Int, severity: Severity) throws {
        let found = try #require(Array(text.utf8).withUnsafeBytes { SyslogPriority.parse($0) })
        #expect(found.length == length && found.priority.severity == severity)
    }

    @Test(
        "what is not PRI is not taken for it",
        arguments: ["<24975>", "<>", "<0 hi there", "5> kthxbye", "\0\0\0\0\0\0\0", "<-1>", "<+1>", "<1", ""]
    )
    func noPriority(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { SyslogPriority.parse($0) } == nil)
    }

    // MARK: - Time

    @Test(
        "a time without a year is 14 or 15 bytes long",
        arguments: [
            ("Jan 17 23:54:11", 15), ("Jun 2 17:15:47", 14), ("Jun  2 17:15:47", 15),
            ("Dec 24 18:33:58 Let the games begin", 15), ("Feb 29 00:00:00", 15),
        ]
    )
    func times(_ text: String, length: Int) {
        #expect(Array(text.utf8).withUnsafeBytes { YearlessTime.parse($0)?.length } == length)
    }

    @Test(
        "what is not a time is not taken for one",
        arguments: [
            "Oct 52 05:37:23", "Mar 24 kernel: [17.5694]", "Apr 12 35:18:52", "22 Feb 07:03:11", "Feb 30 00:00:00",
            "Jan", "Jan 17 23:54:1", "Jan 17 23:54", "Xyz 17 23:54:11", "Jan  7 23-54-11",
        ]
    )
    func noTimes(_ text: String) {
        #expect(Array(text.utf8).withUnsafeBytes { YearlessTime.parse($0) } == nil)
    }

    private static func moment(_ year: Int, _ month: Int, _ day: Int, _ hour: Int, _ minute: Int, _ second: Int)
        -> Timestamp
    {
        Timestamp(
            utc: CivilTime(year: year, month: month, day: day, hour: hour, minute: minute, second: second)
        )
    }

    @Test("the year is the one that brings the time to its receipt or before, or two days behind it at most")
    func newYear() {
        let november = Self.moment(2026, 11, 29, 12, 0, 0)
        #expect(time(parse("<13>May 15 12:00:00 t: x", received: november)) == "2026-05-15T12:00:00.000000000Z")
        #expect(time(parse("<13>Jan 15 12:00:00 t: x", received: november)) == "2026-01-15T12:00:00.000000000Z")
        #expect(time(parse("<13>Dec 15 12:00:00 t: x", received: november)) == "2025-12-15T12:00:00.000000000Z")
        #expect(time(parse("<13>Nov 30 12:00:00 t: x", received: november)) == "2026-11-30T12:00:00.000000000Z")
        let afterMidnight = Self.moment(2027, 1, 1, 0, 0, 1)
        let before = Self.moment(2026, 12, 31, 23, 59, 59)
        #expect(time(parse("<13>Dec 31 23:59:59 t: x", received: afterMidnight)) == "2026-12-31T23:59:59.000000000Z")
        #expect(time(parse("<13>Jan  1 00:00:01 t: x", received: before)) == "2027-01-01T00:00:01.000000000Z")
        #expect(time(parse("<13>Jan  1 00:00:01 t: x", received: afterMidnight)) == "2027-01-01T00:00:01.000000000Z")
    }

    @Test("decimals of a second, an IPv6 host, and a date without an offset are what they are")
    func variants() {
        let decimals = parse("<13>Jun 15 01:02:03.123456 host prog: x")
        #expect(time(decimals) == "2026-06-15T01:02:03.123456000Z")
        #expect(text(decimals?.hostname) == "host" && text(decimals?.tag) == "prog" && text(decimals?.content) == "x")
        let address = parse("<13>Jun 15 01:02:03 fe80::1 prog[7]: x")
        #expect(text(address?.hostname) == "fe80::1" && text(address?.tag) == "prog" && text(address?.content) == "x")
        let zone = LocalZone { _ in 3600 }
        let date = parse("<13>2026-06-15T01:02:03.5 host prog: x", zone: zone)
        #expect(time(date) == "2026-06-15T00:02:03.500000000Z")
        #expect(text(date?.hostname) == "host" && text(date?.content) == "x")
        let sentence = parse("<13>Jun 15 01:02:03.x host prog: x")
        #expect(sentence?.time != nil && text(sentence?.content)?.hasPrefix(".x") == true)
    }

    @Test("29 February in years without one is content, as any time that is not one")
    func leapDay() {
        let message = parse("<13>Feb 29 12:00:00 t: x", received: Self.moment(2026, 3, 1, 0, 0, 0))
        #expect(message?.time == nil && text(message?.content) == "Feb 29 12:00:00 t: x")
        let leap = parse("<13>Feb 29 12:00:00 t: x", received: Self.moment(2028, 3, 1, 0, 0, 0))
        #expect(time(leap) == "2028-02-29T12:00:00.000000000Z")
    }

    @Test("the time is in the sender's zone, and New Year is in that zone too")
    func zones() {
        let pacific = LocalZone { _ in -8 * 3600 }
        let received = Self.moment(2027, 1, 1, 8, 0, 1)
        #expect(
            time(parse("<13>Dec 31 23:59:59 t: x", received: received, zone: pacific))
                == "2027-01-01T07:59:59.000000000Z"
        )
        // A clock that is set back shows 02:30 twice: the nearer one is meant.
        let change = Self.moment(2026, 10, 25, 1, 0, 0).microseconds / 1_000_000
        let central = LocalZone { $0 < change ? 7200 : 3600 }
        let inFirst = parse("<13>Oct 25 02:30:00 t: x", received: Self.moment(2026, 10, 25, 0, 31, 0), zone: central)
        let inSecond = parse("<13>Oct 25 02:30:00 t: x", received: Self.moment(2026, 10, 25, 1, 31, 0), zone: central)
        #expect(time(inFirst) == "2026-10-25T00:30:00.000000000Z")
        #expect(time(inSecond) == "2026-10-25T01:30:00.000000000Z")
    }

    // MARK: - RFC 3164

    @Test("the samples of RFC 3164: priority, where the content begins, and the time")
    func samples() {
        func check(_ message: String, _ severity: Severity, _ header: Int, hasTime: Bool) {
            let parsed = parse(message)
            #expect(parsed?.priority.severity == severity, "\(message)")
            #expect(parsed?.headerLength == header, "\(message)")
            #expect((parsed?.time != nil) == hasTime, "\(message)")
        }
        check(
            "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
            .critical,
            19,
            hasTime: true
        )
        check("Use the BFG!", .notice, 0, hasTime: false)
        check(
            "<165>Aug 24 05:34:00 CST 1987 mymachine myproc[10]: %% It's time to make the do-nuts.  %%",
            .notice,
            20,
            hasTime: true
        )
        check(
            "<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
            .emergency,
            3,
            hasTime: false
        )
    }

    @Test("bytes that are not UTF-8, controls and NULs are content")
    func binary() {
        let strange = Array("<34>Oct".utf8) + [0x1c, 0x0f, 0x7f, 0xf0, 0xff] + Array(" 11".utf8)
        #expect(parse(strange)?.content == Array(strange.dropFirst(4)))
        let latin: [UInt8] = [0x8a, 0xe5, 0xc4, 0x4f, 0x05, 0xb6, 0xfd]
        #expect(parse(latin)?.content == latin && parse(latin)?.priority.severity == .notice)
        let nul = parse("<33>Embedded\0NUL\0characters")
        #expect(nul?.priority.severity == .alert && nul?.headerLength == 4)
        #expect(text(nul?.content) == "Embedded\0NUL\0characters")
    }

    @Test("tag, process and host name are told apart, and all else stays content")
    func tags() {
        func parts(_ text: String) -> [String?] {
            let message = parse("<30>Jun 15 11:59:58 " + text)
            return [message?.hostname, message?.tag, message?.process, message?.content].map(self.text)
        }
        #expect(parts("cron[712]: (root) CMD (x)") == [nil, "cron", "712", "(root) CMD (x)"])
        #expect(parts("web1 sshd[1]: hello") == ["web1", "sshd", "1", "hello"])
        #expect(parts("kernel: [1.0] x") == [nil, "kernel", nil, "[1.0] x"])
        #expect(parts("no tag in here") == [nil, nil, nil, "no tag in here"])
        #expect(parts("a[]: x") == [nil, nil, nil, "a[]: x"])
        #expect(parts("a[b") == [nil, nil, nil, "a[b"])
    }

    @Test("a tag is found without a time too")
    func tagWithoutTime() {
        let message = parse("<27>app[7]: x")
        #expect(text(message?.tag) == "app" && text(message?.process) == "7" && text(message?.content) == "x")
        #expect(message?.headerLength == 4 && message?.time == nil)
    }

    @Test("line feeds and NULs at the end are left out; nothing is no message")
    func ends() {
        #expect(text(parse("<13>x\n\0\n")?.content) == "x")
        #expect(parse("") == nil && parse("\n\0") == nil && parse("<13>") == nil && parse("<13>\n") == nil)
    }

    @Test("rsyslog's and syslog-ng's long times are understood")
    func longTime() {
        let message = parse("<13>2026-06-15T13:59:58.123456+02:00 web1 app: x")
        #expect(time(message) == "2026-06-15T11:59:58.123456000Z")
        #expect(text(message?.hostname) == "web1" && text(message?.tag) == "app" && text(message?.content) == "x")
    }

    @Test("a message without text is kept for its tag, its MSGID or its data; PRI and time alone are none")
    func withoutText() {
        #expect(text(parse("<13>t: ")?.tag) == "t" && parse("<13>t:")?.content == [])
        #expect(text(parse("<165>1 2026-11-30T15:44:05Z h - - LOGIN-FAIL - ")?.identifier) == "LOGIN-FAIL")
        #expect(text(parse("<165>1 2026-11-30T15:44:05Z h app 1 - - ")?.tag) == "app")
        #expect(parse(#"<165>1 - - - - - [a@1 b="c"]"#)?.data.count == 1)
        #expect(parse("<165>1 - h - - - - ") == nil && parse("<13>Jun 15 11:59:58 ") == nil)
    }

    @Test("a tag is in any script")
    func scripts() {
        let message = parse("<13>Jun 15 11:59:58 größe[3]: x")
        #expect(text(message?.tag) == "größe" && text(message?.process) == "3" && text(message?.content) == "x")
        #expect(parse("<13>a\u{7f}b: x")?.tag == nil && parse("<13>a\tb: x")?.tag == nil)
    }

    @Test("a message of a program on this host names no other host")
    func localHost() {
        func parts(_ text: String) -> [String?] {
            let bytes = Array("<13>Jun 15 11:59:58 \(text)".utf8)
            let message = bytes.withUnsafeBytes {
                SyslogMessage(parsing: $0, received: Self.june, zone: .utc, localHost: Array("web.lab".utf8))
            }
            return [message?.hostname, message?.tag, message?.content].map(self.text)
        }
        #expect(parts("with space: x") == [nil, nil, "with space: x"])
        #expect(parts("tag: x") == [nil, "tag", "x"])
        // A daemon that relays writes it.
        #expect(parts("web tag: x") == ["web", "tag", "x"] && parts("web.lab tag: x") == ["web.lab", "tag", "x"])
    }

    @Test("a year behind the time is the time's, and no host; a number without a tag behind it is content")
    func yearBehindTime() {
        let message = parse("<13>Nov 30 15:44:05 2025 t: x")
        #expect(time(message) == "2025-11-30T15:44:05.000000000Z" && message?.hostname == nil)
        #expect(text(message?.tag) == "t" && text(message?.content) == "x")
        #expect(text(parse("<13>Nov 30 15:44:05 2025 h t: x")?.hostname) == "h")
        #expect(text(parse("<13>Nov 30 15:44:05 2025 items done")?.content) == "2025 items done")
        #expect(text(parse("<13>Feb 29 15:44:05 2025 t: x")?.tag) == nil)
    }

    // MARK: - RFC 5424

    @Test("RFC 5424's own examples")
    func structured() {
        let first = parse("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed")
        #expect(time(first) == "2003-10-11T22:14:15.003000000Z")
        #expect(
            [first?.hostname, first?.tag, first?.process, first?.identifier].map(text) == [
                "mymachine.example.com", "su", nil, "ID47",
            ]
        )
        #expect(text(first?.content) == "'su root' failed" && first?.data == [])
        let second = parse("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time")
        #expect(time(second) == "2003-08-24T12:14:15.000003000Z" && text(second?.process) == "8710")
        let third = parse(
            #"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut="3" eventSource="App\"li\]c\\ation"][b@1 x=""]"#
        )
        let data = third?.data.map { [$0.identifier, $0.name, $0.value].map { String(decoding: $0, as: UTF8.self) } }
        #expect(
            data == [
                ["exampleSDID@32473", "iut", "3"], ["exampleSDID@32473", "eventSource", #"App"li]c\ation"#],
                ["b@1", "x", ""],
            ]
        )
        #expect(third?.content == [])
    }

    @Test(
        "what only resembles RFC 5424 is kept as content",
        arguments: [
            "<34>1 2003-10-11T22:14:15.003Z h", "<34>1 yesterday h a - - - x", #"<34>1 - h a - - [x y="z] m"#,
            "<34>1 - h a - - [] m", "<34>1 ", #"<34>1 - h a - - [x y="z"]m"#, "<34>1 2003-13-11T22:14:15Z h a - - - x",
            "<34>1 - h a - -",
        ]
    )
    func nearly(_ message: String) {
        #expect(text(parse(message)?.content) == String(message.dropFirst(4)))
    }

    @Test("no prefix of a message crashes or hides the rest")
    func prefixes() {
        let whole = Array(#"<165>1 2003-10-11T22:14:15.003Z h a 1 ID47 [e@1 i="\"3"] message"#.utf8)
        for length in 0...whole.count {
            _ = parse(Array(whole.prefix(length)))
        }
    }
}
