// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import LogModel
import SystemIO
import TextFormats

/// Follows this boot's journal through journalctl(1): a statically linked program cannot load libsystemd. Lives on the
/// agent's loop.
///
/// The journal keeps its entries, so it is read no faster than the host stores them.
final class JournalFollower: AgentSource {
    /// What an entry becomes, and its mark.
    private let onRecord: (GuestRecord, JournalMark) -> Void
    private let onProblem: (String) -> Void
    private let command: [String]
    private unowned let loop: EventLoop
    private var last: JournalMark?
    private var child: ChildProgram?
    private var output: Descriptor?
    private var token: EventLoop.Token?
    private var parser = JournalFollower.makeParser()
    private var backoff = Backoff(first: 1_000_000, doublingLimit: 30_000_000, longest: 30_000_000)
    private var isProblemReported = false
    private var isEnded = false
    private var isPaused = false

    private static let pieceSize = 64 << 10

    /// The journal after the entry with the mark `after`; nil: from this boot's first. `command` prints it in the Journal
    /// Export Format, with further options.
    init(
        after: JournalMark?,
        command: [String] = ["journalctl"],
        on loop: EventLoop,
        onProblem: @escaping (String) -> Void,
        onRecord: @escaping (GuestRecord, JournalMark) -> Void
    ) {
        last = after
        self.command = command
        self.loop = loop
        self.onProblem = onProblem
        self.onRecord = onRecord
    }

    /// Values are kept as far as a record holds them.
    private static func makeParser() -> JournalExportParser {
        var limits = JournalExportParser.Limits()
        limits.entry = 64 << 10
        limits.fields = GuestRecord.fieldLimit
        return JournalExportParser(limits: limits)
    }

    /// Starts journalctl, and again after the last entry whenever it ends.
    func begin() {
        var words = command + ["--output=export", "--follow", "--boot", "--no-tail", "--quiet", "--no-pager"]
        if let last {
            words.append("--after-cursor=\(last)")
        }
        do throws(SystemError) {
            let pipe = try Descriptor.pipe()
            let reading = try pipe.first.duplicate()
            try reading.setNonBlocking()
            child = try ChildProgram(words, .copies([(STDOUT_FILENO, pipe.second.raw)]))
            token = try loop.add(reading.raw, for: isPaused ? [] : .readable, self)
            output = consume reading
            parser = Self.makeParser()
        } catch {
            restart("\(error)")
        }
    }

    private func restart(_ reason: String) {
        close()
        guard !isEnded else {
            return
        }
        if !isProblemReported {
            isProblemReported = true
            onProblem("the journal cannot be followed: \(reason); journalctl is started again")
        }
        loop.schedule(afterMicroseconds: backoff.next()) { [weak self] in
            if self?.isEnded == false {
                self?.begin()
            }
        }
    }

    private func close() {
        if let token {
            loop.remove(token)
        }
        token = nil
        output = nil
        child?.send(SIGKILL)
        _ = child.take()?.wait()
    }

    /// Stops reading, because the host is slower, or reads on.
    func pause(_ isPaused: Bool) {
        self.isPaused = isPaused
        if let token {
            loop.modify(token, for: isPaused ? [] : .readable)
        }
    }

    /// Ends it, after what has arrived already.
    func end() {
        isEnded = true
        drain()
        close()
    }

    func readTurn() -> Bool {
        guard let raw = output?.raw else {
            return false
        }
        return withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 16) { buffer in
            let count = read(raw, buffer.baseAddress, buffer.count)
            guard count > 0 else {
                if count == 0 || ![EAGAIN, EINTR].contains(errno) {
                    restart("journalctl has ended")
                }
                return false
            }
            parser.append(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
            readEntries()
            return true
        }
    }

    private func readEntries() {
        do throws(JournalExportFault) {
            while let event = try parser.next() {
                if case .entry(let entry) = event, let mark = entry.value(of: "__CURSOR").flatMap(JournalMark.init) {
                    last = mark
                    isProblemReported = false
                    // The kernel's own log is read from its source.
                    if entry.value(of: "_TRANSPORT")?.elementsEqual("kernel".utf8) != true {
                        onRecord(GuestRecord(entry), mark)
                    }
                }
            }
        } catch {
            restart("\(error)")
        }
    }
}

extension GuestRecord {
    /// The entry of a journal: its fields keep their names, but addresses (`__CURSOR` and the like) are no part of it.
    init(_ entry: JournalEntry) {
        let priority = entry.value(of: "PRIORITY")?.first.flatMap { Severity(rawValue: $0 &- UInt8(ascii: "0")) }
        self.init(
            severity: priority,
            time: entry.time,
            content: entry.value(of: "MESSAGE") ?? [],
            source: .journal
        )
        isTruncated = entry.isTruncated
        let own = ["MESSAGE", "PRIORITY"].map { Array($0.utf8) }
        fields = entry.fields.lazy.filter { !own.contains($0.name) && !$0.name.starts(with: "__".utf8) }
            .prefix(GuestRecord.fieldLimit).map { Field($0.name, $0.value) }
    }
}
