// SPDX-License-Identifier: Apache-2.0

public import LogModel
import SystemIO

/// A console's text from a source that can be read again, such as a file that another program writes: committed with the
/// source's position, with the markers of the boots in it. Used by one thread.
public struct ReplayableConsole {
    private let intake: RecordIntake
    private var detector = BootDetector()

    /// A console that feeds `intake`, which was opened with `RecordOptions.console`.
    public init(_ intake: RecordIntake) {
        self.intake = intake
    }

    /// Adds text that was received at `time`, with the source's position after it; waits while the store has no space
    /// for it. Throws ECANCELED when capture has stopped.
    public mutating func append(
        _ text: UnsafeRawBufferPointer,
        time: Timestamp,
        position: [UInt8]
    ) throws {
        var start = 0
        for finding in detector.scan(text, time: time.microseconds) {
            let offset = max(start, finding.offset)
            try add(text[start..<offset], time, position: nil)
            mark(finding, before: offset)
            start = offset
        }
        // The position is committed with the last of the text, which a boot never begins after.
        try add(text[start...], time, position: position)
    }

    private func add(_ text: Slice<UnsafeRawBufferPointer>, _ time: Timestamp, position: [UInt8]?) throws {
        if !text.isEmpty {
            try intake.append(try RecordBatch(console: Array(text), received: time, position: position))
        }
    }

    /// The transport shows `event` after all text so far.
    public mutating func note(_ event: BootEvent, time: Timestamp) {
        mark(detector.note(event))
        intake.add(.boot(event, back: 0), time: time)
    }

    /// What follows is from `origin`; `position` is where that begins.
    public func continued(by origin: String, time: Timestamp, position: [UInt8]) {
        intake.add(.origin(origin), time: time, position: position)
    }

    /// Whether a pause of `quietTime` decides something about the boots.
    public var awaitsQuiet: Bool { detector.awaitsQuiet }
    /// That pause, in microseconds.
    public static let quietTime = BootState.quietInterval

    /// Nothing was received for `quietTime`.
    public mutating func quiet() {
        mark(detector.quiet())
    }

    private func mark(_ findings: [BootDetector.Finding]) {
        findings.forEach { mark($0, before: 0) }
    }

    private func mark(_ finding: BootDetector.Finding, before offset: Int) {
        let back = UInt64(max(0, offset - finding.subject))
        intake.add(.boot(finding.event, back: back), time: Timestamp(microseconds: finding.time))
    }
}
