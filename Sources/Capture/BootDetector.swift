// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// Detects in a console's text where boots begin and end.
///
/// Evidence from the transport comes first: opening a console is a boot. On a live console, a firmware banner after any
/// other output is a reset, and so is a kernel banner without a firmware banner before it. A guest can print any
/// banner, so at most one in ten seconds counts.
struct BootDetector {
    /// An event, and its position in the given text: it belongs before that byte. Negative when the line began in text
    /// given earlier.
    struct Finding: Equatable {
        var event: BootEvent
        var place: Int
    }

    private var hasFirmware = false
    /// True at first: after a restart of this process the machine has been running, and may be reset.
    private var hasKernel = true
    private var hasEnded = false
    private var lastBanner: Int64?
    /// The beginning of the current line, as far as a banner needs it; nil once the line cannot be a banner.
    private var lineStart: [UInt8]? = []

    /// Banners closer together than this, in microseconds, belong to one boot.
    static let bannerInterval: Int64 = 10_000_000

    /// The transport saw the machine being switched on.
    mutating func powerOn() {
        self = BootDetector()
        hasKernel = false
    }

    /// Scans the next text, received at `time`.
    mutating func scan(_ text: UnsafeRawBufferPointer, time: Int64) -> [Finding] {
        var findings: [Finding] = []
        var start = 0
        if var begun = lineStart, !begun.isEmpty {
            // The line began earlier: completes its head, then continues at the next.
            let earlier = begun.count
            let feed = Lines.firstFeed(in: text)
            let head = text.prefix(min((feed ?? text.count), BootBanner.lookAhead - earlier))
            begun.append(contentsOf: head)
            let isKnown = begun.withUnsafeBytes { judge($0, time: time, at: -earlier, &findings) }
            guard let feed else {
                lineStart = isKnown || begun.count >= BootBanner.lookAhead ? nil : begun
                return findings
            }
            start = feed + 1
        } else if lineStart == nil {
            guard let feed = Lines.firstFeed(in: text) else {
                return findings
            }
            start = feed + 1
        }
        while start < text.count {
            let feed = Lines.firstFeed(in: text, from: start)
            let line = UnsafeRawBufferPointer(rebasing: text[start..<(feed ?? text.count)])
            let isKnown = judge(line, time: time, at: start, &findings)
            guard let feed else {
                lineStart = isKnown || line.count >= BootBanner.lookAhead ? nil : Array(line)
                return findings
            }
            start = feed + 1
        }
        lineStart = []
        return findings
    }

    /// Handles `line`, as far as it is known, if it is a banner.
    private mutating func judge(
        _ line: UnsafeRawBufferPointer,
        time: Int64,
        at place: Int,
        _ findings: inout [Finding]
    ) -> Bool {
        guard let banner = BootBanner(line: line) else {
            return false
        }
        switch banner {
        case .firmware:
            if (hasFirmware || hasKernel), begin(time) {
                findings.append(Finding(event: .firmware, place: place))
                hasKernel = false
            }
            hasFirmware = true
        case .kernel:
            if hasKernel, begin(time) {
                findings.append(Finding(event: .kernel, place: place))
                hasFirmware = false
            }
            hasKernel = true
        case .panic: end(.panic, place, &findings)
        case .restarting: end(.restart, place, &findings)
        case .powerDown: end(.powerDown, place, &findings)
        case .halted: end(.halt, place, &findings)
        }
        return true
    }

    /// Whether a banner at `time` may begin a boot.
    private mutating func begin(_ time: Int64) -> Bool {
        if let last = lastBanner, (0..<Self.bannerInterval).contains(time - last) {
            return false
        }
        lastBanner = time
        hasEnded = false
        return true
    }

    /// The first end of a boot counts: a panic is followed by "Restarting system".
    private mutating func end(_ event: BootEvent, _ place: Int, _ findings: inout [Finding]) {
        if !hasEnded {
            hasEnded = true
            findings.append(Finding(event: event, place: place))
        }
    }
}
