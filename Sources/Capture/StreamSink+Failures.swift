// SPDX-License-Identifier: Apache-2.0

import CBytes
import Glibc
import LogModel
import LogStore
import SystemIO

// Whether the store accepts a stream's bytes, what is lost while it does not, and the retries.
extension StreamSink {
    /// Whether the store accepts bytes, or a marker if not `forText`: it is open and not waiting for a retry, and all
    /// earlier markers are written. Retries when it is time.
    func isReady(at now: Int64, forText: Bool = false) -> Bool {
        if opener.isDiskFull {
            failedUntil = now + Self.retryInterval
            writeGapMarker(at: now)
            return false
        }
        if let failedUntil, now < failedUntil {
            return false
        }
        if let suspendedUntil, now < suspendedUntil, opener.maySuspend {
            return false
        }
        (suspendedUntil, isSilent) = (nil, false)
        if let writer, !writer.isInPlace(at: now) {
            // The files were removed or moved: they are created again, after a gap.
            fail(SystemError("write", writer.path, code: ENOENT, reason: "its files were removed or moved"), at: now)
            self.writer = nil
        }
        if writer == nil {
            do throws(SystemError) {
                let opened = try opener.open(key, options.properties)
                guard opened.writer.properties.encoding == .raw else {
                    let reason = "the stream contains records; use another stream, or remove its log"
                    throw SystemError("store a console in", opened.writer.path, code: EINVAL, reason: reason)
                }
                writer = opened.writer
                id = opened.id
                opener.began(opened.id)
                lastCommit = now
            } catch  where error.code == SystemError.busy && opener.maySuspend {
                suspendedUntil = now + Self.suspension
                return false
            } catch {
                fail(error, at: now)
                return false
            }
        }
        return closeGap(at: now, isBeforeText: forText)
    }

    func fail(_ error: SystemError, at now: Int64) {
        failedUntil = now + Self.retryInterval
        opener.failed(key, error, consequence: "its output is counted as lost")
    }

    func lose(_ text: UnsafeRawBufferPointer, at time: Int64, now: Int64) {
        statistics?.drop(text.count)
        let lines = gl_count_byte(text.baseAddress, text.count, Lines.feed)
        gap.count(bytes: text.count, lines: lines, at: time, reason: .storeFailure)
        if opener.isDiskFull {
            writeGapMarker(at: now)
        }
    }

    /// On a full disk, writes a marker of the losses since the last one. The reserve has room for markers, not for
    /// text; without it the closing marker will count these losses too.
    private func writeGapMarker(at now: Int64) {
        if let writer, gap.isDue(at: now), (try? write(gap.detail(isClosed: false), writer)) == true {
            gap.emitted(isClosed: false, at: now)
        }
    }

    /// Returns false when there are too many markers already: the losses are counted in a later one.
    func write(_ marker: GapDetail, _ writer: StreamWriter, isBeforeText: Bool = false) throws(SystemError) -> Bool {
        let time = Timestamp(microseconds: opener.wallNow)
        return try writer.mark(RecordDetail(gap: marker), time: time, isBeforeText: isBeforeText)
    }

    /// Writes the marker of losses, if there are any, and those of kept boundaries; returns whether the store accepts
    /// bytes again.
    private func closeGap(at now: Int64, isBeforeText: Bool) -> Bool {
        if gap.isOpen, let writer {
            do throws(SystemError) {
                if try write(gap.detail(isClosed: true), writer, isBeforeText: isBeforeText) {
                    gap.emitted(isClosed: true, at: now)
                }
            } catch {
                fail(error, at: now)
                return false
            }
        }
        if failedUntil != nil {
            failedUntil = nil
            opener.recovered(key)
        }
        // Text is stored also where no more markers are.
        return writePendingBoundaries(at: now, isBeforeText: isBeforeText) || isBeforeText && failedUntil == nil
    }

    /// After a failure, the next attempt does not wait.
    func retryNow() {
        failedUntil = failedUntil.map { _ in 0 }
    }

    /// Retries what failed, when it is time, without new entries.
    func retry(at now: Int64) {
        guard let retryAt, now >= retryAt, isReady(at: now) else {
            return
        }
        endReplay(at: now)
    }
}
