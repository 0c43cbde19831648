// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

// The boots that a console's text shows.
extension StreamSink {
    /// Stores text and the markers of the boots in it.
    func store(_ text: UnsafeRawBufferPointer, time: Int64, at now: Int64) {
        let stamp = Timestamp(microseconds: time)
        var start = 0
        for finding in options.isConsole ? detector.scan(text, time: time) : [] {
            let offset = max(start, finding.offset)
            if offset > start {
                append(UnsafeRawBufferPointer(rebasing: text[start..<offset]), stamp, now)
            }
            mark(finding, before: offset, at: now)
            start = offset
        }
        append(UnsafeRawBufferPointer(rebasing: text[start...]), stamp, now)
        saveBoundaries()
    }

    /// When a pause on the console will decide something about its boots, in monotonic microseconds; nil when none will.
    var quietDeadline: Int64? {
        detector.awaitsQuiet ? lastCommit + BootState.quietInterval : nil
    }

    /// Writes the marker of an announced end, and decides what a pause on the console decides.
    func decideBoots(at now: Int64) {
        guard detector.awaitsQuiet else {
            return
        }
        if isReady(at: now) {
            mark(detector.quiet(), at: now)
        } else if let end = detector.pendingEnd {
            if detector.quiet().contains(where: { $0.event == end }) {
                keep(.boot(end))
            }
        }
        saveBoundaries()
    }

    /// Writes the markers of `findings` after all text.
    func mark(_ findings: [BootDetector.Finding], at now: Int64) {
        for finding in findings {
            mark(finding, before: 0, at: now)
        }
    }

    private func mark(_ finding: BootDetector.Finding, before offset: Int, at now: Int64) {
        guard let writer else {
            return
        }
        let back = UInt64(max(0, offset - finding.subject))
        let detail = BootDetail(event: finding.event, position: writer.nextOffset - min(writer.nextOffset, back))
        if !mark(RecordDetail(boot: detail), Timestamp(microseconds: finding.time), now), !finding.event.isBeginning {
            keep(.boot(finding.event))
        }
    }

    /// Saves in the slot, for the next process, the boundaries whose markers are not written: an absence that a replay
    /// may fill, those that failed, and an announced end whose last words may follow.
    func saveBoundaries() {
        var boundaries = unwritten
        if let absence = replay?.absence {
            boundaries.prepend(absence)
        }
        if let end = detector.pendingEnd {
            boundaries.append(.boot(end))
        }
        guard boundaries != saved, let slot else {
            return
        }
        saved = boundaries
        slot.ring.setWriterBoundaries(slot.number, boundaries)
    }
}
