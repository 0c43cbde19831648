// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct KernelMessageTests {
    private func parse(_ text: String) -> KernelMessage? {
        Array(text.utf8).withUnsafeBytes { KernelMessage(parsing: $0) }
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test("priority, number and time of records as kernels write them")
    func records() {
        func check(_ record: String, _ severity: Severity, _ facility: UInt8, _ sequence: UInt64, _ time: UInt64) {
            let message = parse(record)
            #expect(message?.priority.severity == severity && message?.priority.facility == facility, "\(record)")
            #expect(message?.sequence == sequence && message?.microseconds == time, "\(record)")
        }
        check("7,160,424069,-;pci_root PNP0A03:00: host bridge window", .debug, 0, 160, 424_069)
        check("6,339,5140900,-;NET: Registered protocol family 10", .informational, 0, 339, 5_140_900)
        check("30,340,5690716,-;udevd[80]: starting version 181", .informational, 3, 340, 5_690_716)
        check("3,4,0,-;Command line: BOOT_IMAGE=/vmlinuz", .error, 0, 4, 0)
        check("5,279,0,-;Kernel command line: quiet", .notice, 0, 279, 0)
        check("2,305,408127,-;virtio-pci 0000:00:01.0", .critical, 0, 305, 408_127)
        check("6,18446744073709551615,18446744073709551615,-;x", .informational, 0, .max, .max)
    }

    @Test("the dictionary is attributes, escapes are bytes, and a semicolon in the text is text")
    func contents() {
        let message = parse(
            "4,210,504028,-,caller=T12;rtc_cmos 00:01: a\\x0ab \\x5c; c\n SUBSYSTEM=platform\n DEVICE=+platform:rtc_cmos\n"
        )
        #expect(message.map { text($0.text) } == "rtc_cmos 00:01: a\nb \\; c")
        #expect(
            message?.attributes.map { "\(text($0.key))=\(text($0.value))" } == [
                "SUBSYSTEM=platform", "DEVICE=+platform:rtc_cmos",
            ]
        )
        #expect(message?.caller.map(text) == "T12" && message?.isFragment == false)
        #expect(parse("4,1,2,c;part")?.isFragment == true)
        #expect(parse("4,1,2;no flags").map { text($0.text) } == "no flags")
        #expect(parse("4,1,2,-;").map { text($0.text) } == "")
        #expect(parse("4,1,2,-;bad \\xZZ \\x4").map { text($0.text) } == "bad \\xZZ \\x4")
    }

    @Test(
        "what is not a record is refused",
        arguments: [
            " SUBSYSTEM=acpi", "", "37,5,3,cThere is no semi-colon", ";Missing metadata", "1,2;x", "x,1,2,-;x",
            "-1,1,2,-;x", "1,1,,-;x", "1,18446744073709551616,2,-;x", "99999,1,2,-;x",
        ]
    )
    func refused(_ record: String) {
        #expect(parse(record) == nil)
    }
}
