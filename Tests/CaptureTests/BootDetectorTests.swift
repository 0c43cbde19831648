// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestTraits
import Testing

@testable import Capture

@Suite("Boots in a console's text", .blocking)
struct BootDetectorTests {
    private let kernel = BootTable.linux
    private let firmware = "SeaBIOS (version 1.16.2)\n"

    /// Feeds a detector with text at times, as the writer does, and collects its findings at absolute positions.
    private struct Console {
        var detector = BootDetector()
        var length = 0
        var findings: [BootDetector.Finding] = []
        /// Whether the detector is told of pauses when they happen, and not only by the next text.
        var tellsPauses = true
        private var last: Int64 = 0

        mutating func receive(_ text: some Collection<UInt8>, at time: Int64) {
            if tellsPauses, time - last >= BootState.quietInterval {
                pause()
            }
            last = time
            Array(text).withUnsafeBytes { add(detector.scan($0, time: time)) }
            length += text.count
        }

        mutating func pause() {
            if detector.awaitsQuiet {
                add(detector.quiet())
            }
        }

        mutating func note(_ event: BootEvent) {
            add(detector.note(event))
        }

        private mutating func add(_ found: [BootDetector.Finding]) {
            findings += found.map { finding in
                var finding = finding
                finding.offset += length
                finding.subject += length
                return finding
            }
        }
    }

    @Test("a first line that crosses the end of what is examined of a row is found wherever the text is divided")
    func lookAheadBorder() {
        let text = Array((String(repeating: "x", count: 500) + "[    0.000000] Linux version 6.1.0 (x)\n").utf8)
        for offset in [1, 100, 480] + Array(495...530) {
            var console = Console()
            console.receive(text[..<offset], at: 1)
            console.receive(text[offset...], at: 2)
            #expect(console.findings.map(\.event) == [.kernel], "\(offset)")
        }
    }

    // MARK: - The table

    /// A row's pieces without markers, and the markers.
    private func parse(_ row: BootTable.Row) -> (pieces: [(Int64, [UInt8])], markers: [String]) {
        var pieces: [(Int64, [UInt8])] = []
        var markers: [String] = []
        var length = 0
        for piece in row.pieces {
            var text: [UInt8] = []
            for part in piece.text.split(separator: "«", omittingEmptySubsequences: false).enumerated() {
                let words = part.element.split(separator: "»", maxSplits: 1, omittingEmptySubsequences: false)
                if part.offset > 0 {
                    markers.append("\(words[0]) at \(length + text.count)")
                }
                text += words.last!.utf8
            }
            pieces.append((piece.milliseconds * 1000 + 1_000_000_000, text))
            length += text.count
        }
        return (pieces, markers)
    }

    /// The markers found in a row of which the piece `number` comes in two parts.
    private func markers(
        _ pieces: [(Int64, [UInt8])],
        _ isPoweredOn: Bool,
        number: Int = 0,
        cut: Int = 0,
        tellsPauses: Bool = true
    ) -> [String] {
        var console = Console()
        console.tellsPauses = tellsPauses
        if isPoweredOn {
            console.note(.powerOn)
        }
        for (index, (time, text)) in pieces.enumerated() {
            let first = index == number ? cut : 0
            console.receive(text.prefix(first), at: time)
            console.receive(text.dropFirst(first), at: time)
        }
        console.pause()
        return console.findings.map { "\($0.event.name) at \($0.offset)" }
    }

    @Test("boots begin and end where a reader would say so", arguments: BootTable.rows)
    func table(_ row: BootTable.Row) {
        let (pieces, expected) = parse(row)
        #expect(markers(pieces, row.isPoweredOn) == expected)
        #expect(markers(pieces, row.isPoweredOn, tellsPauses: false) == expected)
    }

    @Test("a console's boots do not depend on how its text is divided", arguments: BootTable.rows)
    func division(_ row: BootTable.Row) {
        let (pieces, expected) = parse(row)
        for number in pieces.indices {
            for cut in pieces[number].1.indices {
                let found = markers(pieces, row.isPoweredOn, number: number, cut: cut)
                #expect(found == expected, "piece \(number) cut at \(cut)")
            }
        }
        let bytes = pieces.flatMap { piece in piece.1.map { (piece.0, [$0]) } }
        #expect(markers(bytes, row.isPoweredOn) == expected, "byte by byte")
    }

    @Test("a pause changes nothing about a console's boots, wherever it divides the text", arguments: BootTable.paused)
    func pauseAtDivision(_ row: BootTable.Row) {
        let (pieces, expected) = parse(row)
        for number in pieces.indices {
            for cut in pieces[number].1.indices.dropFirst() {
                var console = Console()
                if row.isPoweredOn {
                    console.note(.powerOn)
                }
                var delay: Int64 = 0
                for (index, (time, text)) in pieces.enumerated() {
                    let first = index == number ? cut : text.count
                    console.receive(text.prefix(first), at: time + delay)
                    if index == number {
                        delay = BootState.quietInterval + 100_000
                        console.receive(text.dropFirst(first), at: time + delay)
                    }
                }
                console.pause()
                let found = events(console.findings.map { "\($0.event.name) at \($0.offset)" })
                #expect(found == events(expected), "piece \(number) cut at \(cut)")
            }
        }
    }

    /// The events of `markers` without the doubtful ones, which a pause may confirm before they are doubted.
    private func events(_ markers: [String]) -> [Substring] {
        markers.map { $0.prefix { $0 != " " } }.filter { $0 != "doubtful" }
    }

    // MARK: - Details

    /// The events found in `pieces`, each at so many seconds.
    private func events(_ pieces: [(text: String, seconds: Double)]) -> [BootEvent] {
        var console = Console()
        console.note(.powerOn)
        for piece in pieces {
            console.receive(Array(piece.text.utf8), at: Int64(piece.seconds * 1_000_000))
        }
        console.pause()
        return console.findings.map(\.event)
    }

    @Test("an end's marker follows the boot's last words, has their time and refers to the line that announced it")
    func endsAfterLastWords() {
        var console = Console()
        console.note(.powerOn)
        let panic = "[    9.100000] Kernel panic - not syncing: init!\n"
        console.receive(kernel.utf8, at: 1_000_000)
        console.receive(panic.utf8, at: 9_100_000)
        console.receive("[    9.100100] Call Trace:\n".utf8, at: 9_200_000)
        #expect(console.detector.pendingEnd == .panic && console.detector.awaitsQuiet)
        let end = console.length
        console.receive(kernel.utf8, at: 12_000_000)
        let ends = console.findings.filter { !$0.event.isBeginning }
        #expect(ends == [.init(event: .panic, offset: end, subject: kernel.utf8.count, time: 9_200_000)])
        #expect(console.detector.pendingEnd == nil && !console.detector.awaitsQuiet)
    }

    @Test("an end's marker waits no longer than ten seconds for a machine that goes on printing")
    func endlessLastWords() {
        var console = Console()
        console.note(.powerOn)
        console.receive((kernel + "[    1.000000] Kernel panic - not syncing: x\n").utf8, at: 1_000_000)
        for tick in 1...60 {
            console.receive("[    1.000000] a\n".utf8, at: 1_000_000 + Int64(tick) * 200_000)
        }
        #expect(console.findings.map(\.event) == [.panic])
        #expect(console.findings.first.map { $0.time } == 10_800_000)
    }

    @Test("the transport's end follows an announced one, and a new connection is a boot by itself")
    func transport() {
        var console = Console()
        console.note(.powerOn)
        console.receive((kernel + "[    1.000000] reboot: Power down\n").utf8, at: 1_000_000)
        console.note(.closed)
        #expect(console.findings.map(\.event) == [.powerDown])
        console.note(.powerOn)
        console.receive(kernel.utf8, at: 2_000_000)
        console.pause()
        #expect(console.findings.map(\.event) == [.powerDown])
    }

    @Test("a confirmed boot refers to the kernel's first line")
    func confirmation() {
        var console = Console()
        console.note(.powerOn)
        console.receive(kernel.utf8, at: 1_000_000)
        console.receive((kernel + "[    0.100000] a\n").utf8, at: 61_000_000)
        console.pause()
        #expect(console.findings.map(\.event) == [.doubtful, .kernel])
        #expect(console.findings.map(\.subject) == [kernel.utf8.count, kernel.utf8.count])
    }

    @Test("a thousand banners in ten seconds count as one boot, also when the clock is set back")
    func flood() {
        let flood = (0..<1000).map { (firmware, Double($0) / 100) }
        #expect(events([(kernel, -60)] + flood) == [.firmware])
        #expect(events([(kernel, 0), (firmware, 1_000_000), (firmware, 60)]).count == 2)
    }

    @Test("announced ends and banners count as a limited number of boots in a minute")
    func floodOfEnds() {
        let flood = (0..<400).map { ("reboot: Restarting system\n" + firmware, Double($0) / 8) }
        #expect(events([(kernel, 0)] + flood).filter(\.isBeginning).count == BootRate.mostPerMinute)
    }

    @Test("alternating banners of firmware and kernels count as a limited number of boots in a minute")
    func floodOfStarts() {
        let flood = (0..<400).map { (firmware + kernel, Double($0) / 8) }
        #expect(events([(kernel, 0)] + flood).filter(\.isBeginning).count == BootRate.mostPerMinute)
        let doubts = (0..<400).map { (kernel + "[    5.000000] a\n", Double($0) / 8) }
        #expect(events([(kernel, 0)] + doubts).count <= BootRate.mostPerMinute)
    }

    @Test("a banner after a long line, and one after a long unfinished line, are found")
    func longLines() {
        let long = String(repeating: "x", count: 2000)
        #expect(events([(kernel, 0), (long, 60), ("y\n" + firmware, 61)]) == [.firmware])
        #expect(events([(kernel, 0), (long, 60), (BootTable.seaBIOS, 61)]) == [.firmware])
    }
}
