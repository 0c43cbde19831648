// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestTraits
import Testing

@testable import Capture

@Suite(.blocking) struct BootDetectorTests {
    private let kernel = "[    0.000000] Linux version 6.1.0 (debian) #1 SMP\n"
    private let firmware = "SeaBIOS (version 1.16.2)\n"

    /// The events found in `pieces`, each a second after the one before unless given otherwise.
    private func events(_ pieces: [(text: String, seconds: Int64)], poweredOn: Bool = true) -> [BootEvent] {
        var detector = BootDetector()
        if poweredOn {
            detector.powerOn()
        }
        return pieces.flatMap { piece in
            Array(piece.text.utf8).withUnsafeBytes { detector.scan($0, time: piece.seconds * 1_000_000) }.map(\.event)
        }
    }

    @Test("the firmware and kernel banners of a boot that the transport saw begin no other boot")
    func firstBoot() {
        #expect(events([(firmware, 0), (kernel, 1), ("login: \n", 2)]).isEmpty)
    }

    @Test("firmware after a kernel is a reset, and the kernel after it belongs to the same boot")
    func reset() {
        #expect(events([(firmware, 0), (kernel, 1), (firmware, 60), (kernel, 61)]) == [.firmware])
    }

    @Test("a kernel after a kernel is a reset")
    func kernelAlone() {
        #expect(events([(kernel, 0), (kernel, 60)]) == [.kernel])
    }

    @Test("a console that is captured while its machine runs may be reset")
    func midLife() {
        #expect(events([(kernel, 5)], poweredOn: false) == [.kernel])
    }

    @Test("a thousand banners in ten seconds count as one boot, also when the clock is set back")
    func flood() {
        let flood = (0..<1000).map { (kernel, Int64($0 / 100)) }
        #expect(events([(kernel, -60)] + flood) == [.kernel])
        #expect(events([(kernel, 1_000_000), (kernel, 2_000_000), (kernel, 60), (kernel, 120)]).count == 3)
    }

    @Test("a banner is found however the text is divided, at the beginning of its line")
    func cut() {
        let text = Array(("noise\n" + kernel + "more\n").utf8)
        for place in 0...text.count {
            var detector = BootDetector()
            var findings: [(BootEvent, Int)] = []
            for (start, part) in [(0, text[..<place]), (place, text[place...])] {
                Array(part).withUnsafeBytes { bytes in
                    findings += detector.scan(bytes, time: 0).map { ($0.event, start + $0.place) }
                }
            }
            #expect(findings.map(\.0) == [.kernel] && findings.map(\.1) == [6], "cut at \(place)")
        }
    }

    @Test("the first detected end of a boot is its end")
    func ends() {
        let panic = "[    9.100000] Kernel panic - not syncing: Attempted to kill init!\n"
        let restart = "[    9.200000] reboot: Restarting system\n"
        #expect(
            events([(kernel, 0), (panic, 9), (restart, 10), (kernel, 20), (restart, 30)]) == [
                .panic, .kernel, .restart,
            ]
        )
    }
}
