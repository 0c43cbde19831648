// SPDX-License-Identifier: Apache-2.0

import LogModel
public import LogStore
import SystemIO

/// Follows a query: reads to the end, observes new folders, reads again, waits, and repeats.
public struct Following<Observer: StoreObserver> {
    private let observer: Observer

    /// The delay after which an unfinished line is shown to a follower, in microseconds.
    private static var unfinishedDelay: Int64 { 100_000 }
    /// The maximum delay between receipt and commit, in microseconds.
    private static var commitDelay: Int64 { 500_000 }

    /// A follower that `observer` wakes.
    public init(_ observer: Observer) {
        self.observer = observer
    }

    /// Passes the response to `body`, chunk by chunk, until it is complete; false when the observer was closed first.
    public func answer(_ query: LogQuery, to body: ([UInt8]) async throws -> Void) async throws -> Bool {
        let clock = SystemClock()
        // When to show unfinished lines.
        var flush: Int64? = clock.monotonicMicroseconds() + Self.unfinishedDelay
        let end = query.selection.until?.advanced(byMicroseconds: Self.commitDelay)
        while true {
            let rest = end.map { $0.microseconds - clock.wallMicroseconds() }
            try await readToEnd(of: query) { chunk in
                if !chunk.isEmpty {
                    try await body(chunk)
                }
                return true
            }
            if query.isFinished || rest.map({ $0 <= 0 }) ?? false {
                return true
            }
            let pause = flush.map { max(0, $0 - clock.monotonicMicroseconds()) }
            switch await observer.wait(microseconds: [pause, rest].compactMap { $0 }.min()) {
            case .changed(let changes):
                query.note(changes)
                flush = flush ?? clock.monotonicMicroseconds() + Self.unfinishedDelay
            case .timeout:
                let moment = clock.now.advanced(byMicroseconds: -Self.unfinishedDelay)
                if let shown = query.flushUnfinished(silentSince: moment) {
                    try await body(shown)
                }
                flush = query.isSpeaking(at: moment) ? clock.monotonicMicroseconds() + Self.unfinishedDelay : nil
            case .closed:
                return false
            }
        }
    }

    /// The first match of `wait`; nil when there is none within `microseconds`. Throws when there is no such VM then.
    public func match(_ wait: PatternWait, within microseconds: Int64?) async throws -> PatternWait.Match? {
        let clock = SystemClock()
        let start = clock.monotonicMicroseconds()
        func rest() -> Int64? { microseconds.map { $0 - (clock.monotonicMicroseconds() - start) } }
        while true {
            var match: PatternWait.Match?
            repeat {
                try await readToEnd(of: wait) { found in
                    match = found
                    return false
                }
            } while match == nil && wait.isInterrupted && rest() ?? 1 > 0
            if let match {
                return match
            }
            if rest() ?? 1 <= 0 {
                return try wait.withoutMatch()
            }
            switch await observer.wait(microseconds: rest()) {
            case .changed(let changes): wait.note(changes)
            case .timeout: break
            case .closed: return nil
            }
        }
    }

    /// Passes what there is to `body` until that returns false, and observes the folders that were read, so that
    /// whatever is added after the return ends the next wait.
    private func readToEnd<Source: FollowedSource>(
        of source: Source,
        _ body: (Source.Piece) async throws -> Bool
    ) async throws {
        var folders: [String]
        repeat {
            while let piece = try await observer.reading({ try source.next() }) {
                guard try await body(piece) else {
                    return
                }
            }
            folders = source.isFinished ? [] : source.takeNewFolders()
            observer.observe(folders)
            if !folders.isEmpty {
                // Changes before were not reported.
                source.note(.anything)
            }
        } while !folders.isEmpty
    }
}

/// Something that `Following` reads to its present end, again and again.
protocol FollowedSource: Sendable {
    associatedtype Piece: Sendable

    /// Whether nothing more can follow.
    var isFinished: Bool { get }
    /// The next piece; nil at the present end.
    func next() throws -> Piece?
    /// Folders to be observed, named relative to the store's root, that were not returned before.
    func takeNewFolders() -> [String]
    /// Notes what has changed, for the next read.
    func note(_ changes: StoreChanges)
}
