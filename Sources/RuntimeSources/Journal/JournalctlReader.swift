// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TextFormats
import Transforms

/// Reads the entries of a journal through journalctl(1), where libsystemd cannot be loaded.
///
/// Each run of the program prints what followed the last entry, and ends; when it fails or is killed, the next one
/// continues there. (`--follow` is not used: from systemd 250 to 257 it shows the current boot only.)
final class JournalctlReader: JournalEntries {
    private let options: JournalOptions
    private let program: [String]
    private var cursor: String?
    private var child: ChildProgram?
    private var output: OutputEnd?
    private var parser = JournalExportParser()
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)
    private(set) var skipped = 0
    var remedyForSkipped: String { JournalAccess.check(of: options.paths) }
    private(set) var isComplete = true
    private(set) var startCursor: String?
    /// Whether reading begins after the entry that is the last one now.
    private var skipsPast: Bool

    /// How long an idle journal is left alone, in microseconds.
    private static let interval: Int64 = 5_000_000

    private final class OutputEnd {
        let descriptor: Descriptor

        init(_ descriptor: consuming Descriptor) {
            self.descriptor = descriptor
        }
    }

    /// Reads after the entry with that cursor or, with nil, from where the options say. `program`: the words before
    /// journalctl's arguments.
    init(_ options: JournalOptions, after cursor: String?, program: [String] = ["journalctl"]) {
        self.options = options
        self.program = program
        self.cursor = cursor
        skipsPast = cursor == nil && !options.readsFromHead
    }

    deinit {
        endRun()
    }

    /// Ends the program, if it runs, and leaves what it has written.
    private func endRun() {
        output = nil
        child?.send(SIGKILL)
        _ = child.take()?.wait()
    }

    private func start() throws(SystemError) {
        var words = program + ["--output=export", "--all", "--quiet", "--no-pager"]
        for path in options.paths {
            let isFolder = JournalAccess.isFolder(path)
            words.append((isFolder ? "--directory=" : "--file=") + path)
        }
        if skipsPast {
            words.append("--lines=1")
        } else if let cursor {
            words.append("--after-cursor=" + cursor)
        }
        for (number, match) in options.matches.enumerated() {
            words += (number > 0 ? ["+"] : []) + match.words
        }
        let pipe = try Descriptor.pipe()
        child = try ChildProgram(words, .copies([(STDOUT_FILENO, pipe.second.raw)]))
        output = OutputEnd(pipe.takeFirst())
        parser = JournalExportParser()
    }

    func next(_ record: inout RecordBuffer) throws(SystemError) -> String? {
        while true {
            if let event = nextEvent() {
                guard case .entry(let entry) = event, let cursor = Self.fill(&record, from: entry) else {
                    skipped += 1
                    continue
                }
                self.cursor = cursor
                guard skipsPast else {
                    return cursor
                }
                skipsPast = false
                startCursor = cursor
            }
            if output == nil {
                guard !hasRun else {
                    return nil
                }
                hasRun = true
                try start()
            }
            guard try readMore() else {
                return nil
            }
        }
    }

    /// Whether there was a run since the last wait.
    private var hasRun = false

    private func nextEvent() -> JournalExportParser.Event? {
        do {
            return try parser.next()
        } catch {
            // The run is given up; the next one begins after the last entry.
            skipped += 1
            parser = JournalExportParser()
            endRun()
            return nil
        }
    }

    /// Reads from the program; false when it has ended.
    private func readMore() throws(SystemError) -> Bool {
        guard let output else {
            return false
        }
        let count = try systemCall("read", "journalctl") { read(output.descriptor.raw, &buffer, buffer.count) }
        guard count == 0 else {
            buffer.withUnsafeBytes { parser.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            return true
        }
        self.output = nil
        let status = child.take()?.wait() ?? 0
        guard status == 0 || status >= 128 else {
            throw SystemError("run", "journalctl", code: EIO, reason: "it ended with status \(status)")
        }
        // Without an entry to begin after, every one that comes is new.
        if skipsPast, status == 0, skipped == 0 {
            skipsPast = false
            startCursor = ""
        }
        return false
    }

    /// Takes the fields of an entry, without its addresses; returns its cursor.
    static func fill(_ record: inout RecordBuffer, from entry: JournalEntry) -> String? {
        guard let cursor = entry.value(of: "__CURSOR"), cursor.count <= JournalInput.cursorLimit,
            let text = String(validating: cursor, as: UTF8.self)
        else {
            return nil
        }
        record.removeAll()
        if let digits = entry.value(of: "__REALTIME_TIMESTAMP"),
            let microseconds = Int64(String(decoding: digits, as: UTF8.self)),
            (0..<Int64.max / 1000).contains(microseconds)
        {
            record.time = microseconds * 1000
        }
        for field in entry.fields where !field.name.starts(with: "__".utf8) {
            record.append(field.name, field.value)
        }
        if entry.isTruncated {
            record.append(RecordDecoder.truncatedName, "true".utf8, .literal)
        }
        return text
    }

    func wait(_ interruption: Interruption, within microseconds: Int64) {
        _ = interruption.isRaised(within: min(microseconds, Self.interval))
        hasRun = false
    }
}
