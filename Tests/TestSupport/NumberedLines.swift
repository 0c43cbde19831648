// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// Numbered lines, in which missing and duplicated ones are detected.
public enum NumberedLines {
    /// Line `number`, from 0: its number in ten digits, filler of a length that depends on it, LF.
    public static func line(_ number: Int) -> [UInt8] {
        let digits = String(number)
        let filler = String(repeating: "x", count: 10 + number * 7 % 90)
        return Array((String(repeating: "0", count: 10 - digits.count) + digits + " " + filler + "\n").utf8)
    }

    /// The first `count` lines.
    public static func text(_ count: Int) -> [UInt8] {
        (0..<count).flatMap(line)
    }

    /// The numbers of whole lines in `bytes`, in order; parts of lines are skipped.
    public static func numbers(in bytes: [UInt8]) -> [Int] {
        bytes.split(separator: UInt8(ascii: "\n")).compactMap { piece in
            guard let number = Int(String(decoding: piece.prefix(10), as: UTF8.self)), piece.count >= 11 else {
                return nil
            }
            return line(number).dropLast().elementsEqual(piece) ? number : nil
        }
    }
}

/// A guest at the other end of a descriptor: writes numbered lines, a few at a time, until it is stopped.
public final class TalkingGuest: @unchecked Sendable {
    // Sendable because the results are read only after the thread has been joined.

    private var thread = pthread_t()
    private let descriptor: Int32
    private let limit: Int
    private let pace: UInt32
    private let isStopping = Atomic<Bool>(false)
    /// The longest wait of a write, in microseconds.
    public private(set) var longestWrite: Int64 = 0
    /// Number of whole lines written.
    public private(set) var lines = 0
    public private(set) var bytes = 0

    private static let linesAtOnce = 32

    /// Begins to write to `descriptor`, which blocks and belongs to the caller: at most `limit` lines, sleeping `pace`
    /// microseconds after each 32.
    public init(_ descriptor: Int32, limit: Int = .max, pace: UInt32 = 0) {
        self.descriptor = descriptor
        self.limit = limit
        self.pace = pace
        // A reader that closes ends the guest, not the tests.
        signal(SIGPIPE, SIG_IGN)
        let start = Unmanaged.passRetained(self)
        pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<TalkingGuest>.fromOpaque(argument!).takeRetainedValue().talk()
                return nil
            },
            start.toOpaque()
        )
    }

    /// Ends it after the current line.
    public func stop() {
        isStopping.store(true, ordering: .relaxed)
    }

    /// Waits until it has ended, and prints its longest wait after `what`. A busy machine affects that number, so no
    /// test depends on it.
    public func join(_ what: String) {
        pthread_join(thread, nil)
        print("longest blocked write, \(what): \(Double(longestWrite / 100) / 10) ms")
    }

    private func talk() {
        while lines < limit, !isStopping.load(ordering: .relaxed) {
            let line = NumberedLines.line(lines)
            var done = 0
            while done < line.count {
                let before = Self.now()
                let sent = line[done...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                longestWrite = max(longestWrite, Self.now() - before)
                guard sent > 0 else {
                    return
                }
                done += sent
            }
            lines += 1
            bytes += line.count
            if pace > 0, lines.isMultiple(of: Self.linesAtOnce) {
                usleep(pace)
            }
        }
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
