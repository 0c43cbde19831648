// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import RotatingFile
import SystemIO
import Transforms

/// The files of all sources, read by one thread with one inotify instance.
///
/// A path with a pattern stands for the files that match, each a source of its own with a stream of its own; new ones
/// are looked for every ten seconds. Sources that come and go, and files of patterns, are read to their end when they go.
/// What does not change costs nothing.
final class FileSources {
    /// A source that is read.
    final class Followed {
        /// nil: it is closed until its files change.
        var run: (any FileRun)?
        /// Where it was closed, if it is a console that was read to its end.
        var end: ConsoleEnd?
        /// The size of the file when it was closed.
        var closedSize: Int?
        var definition: SourceDefinition
        /// Whether it is one of those that come and go.
        let isTransient: Bool
        /// Whether it is a file that a pattern has found.
        let isMatch: Bool
        /// The file that is watched.
        var path: String
        var pacing = ReadPacing(interval: FileSources.pace, quiet: FileSources.pace)
        /// Whether it is closed for good when it has been read to its end.
        var isEnding = false
        /// Whether its file could not be read at its latest turn.
        var isFailing = false
        /// Whether its file has not existed yet, as far as is known: it may be named wrongly.
        var isAwaited: Bool
        /// The number of its latest turn.
        var lastTurn = 0

        init(
            _ run: (any FileRun)?,
            _ definition: SourceDefinition,
            isTransient: Bool,
            isMatch: Bool,
            _ path: String
        ) {
            self.run = run
            self.definition = definition
            self.isTransient = isTransient
            self.isMatch = isMatch
            self.path = path
            isAwaited = !isTransient && !isMatch
        }
    }

    let configured: [SourceDefinition]
    let pipeline: Pipeline
    let capture: CaptureService
    let interruption: Interruption
    private let updates: SourceUpdates
    private let watch: LogFileWatch
    let buffer = FollowBuffer()
    let folderNames = FolderNames()
    /// The change time of each pattern's folder at its last scan.
    var folderTimes: [Bytewise<String>: Int] = [:]
    /// The patterns whose folders do not exist.
    var awaited: Set<Bytewise<String>> = []
    /// The patterns whose folders were scanned.
    var scanned: Set<Bytewise<String>> = []
    private(set) var followed: [LogFileWatch.ID: Followed] = [:]
    /// The watches of the sources that are read, by name.
    private(set) var watches: [Bytewise<String>: LogFileWatch.ID] = [:]
    /// The sources that come and go, as they are now.
    private(set) var present: [SourceDefinition] = []
    /// Files that may have more, and those that will be read then, in monotonic microseconds.
    var ready: Set<LogFileWatch.ID> = []
    private var due: [LogFileWatch.ID: Int64] = [:]
    private var nextScan: Int64 = 0
    /// The sources that are not closed.
    private var open: Set<LogFileWatch.ID> = []
    private var turns = 0

    /// The distance between searches for new files, and between attempts to begin a source that failed, in microseconds.
    private static let scanInterval: Int64 = 10_000_000
    /// The distance between reads of a file that is written in small pieces, in microseconds: as for consoles.
    private static let pace: Int64 = 100_000
    /// Maximum number of sources that are open while nothing happens in their files.
    static let openLimit = 200
    private let openLimit: Int
    /// How long changes are left alone while files wait for their next read, in microseconds: a program that writes byte
    /// by byte causes an event for each.
    private static let pacedWait: Int64 = 10_000

    init(
        _ sources: [SourceDefinition],
        _ pipeline: Pipeline,
        _ capture: CaptureService,
        _ interruption: Interruption,
        _ updates: SourceUpdates,
        openLimit: Int = FileSources.openLimit
    ) {
        self.openLimit = openLimit
        configured = sources
        self.pipeline = pipeline
        self.capture = capture
        self.interruption = interruption
        self.updates = updates
        watch = LogFileWatch { [diagnostics = capture.diagnostics] in diagnostics.log(.warning, $0) }
    }

    /// Reads until the interruption is raised, or capture stops.
    func run() {
        defer { followed.values.forEach { $0.run?.close() } }
        while !interruption.isRaised() {
            let now = capture.clock.monotonicMicroseconds()
            if let sources = updates.take() {
                present = sources
                nextScan = 0
            }
            if now >= nextScan {
                let isComplete = beginNew()
                nextScan = isComplete && !hasPatterns ? .max : now + Self.scanInterval
            }
            guard step() else {
                return
            }
            if ready.isEmpty {
                wait()
            }
            noteChanges()
        }
    }

    // MARK: - Reading

    /// Gives each file that is ready a turn; returns false when capture has stopped.
    private func step() -> Bool {
        for id in ready {
            guard let source = followed[id] else {
                ready.remove(id)
                continue
            }
            do {
                guard let run = try source.run ?? opened(source) else {
                    ready.remove(id)
                    if source.isEnding {
                        try end(source, id)
                    } else {
                        _ = follow(source, id)
                    }
                    continue
                }
                source.run = run
                source.end = nil
                open.insert(id)
                turns += 1
                source.lastTurn = turns
                let reading = try run.step()
                if follow(source, id) {
                    // The other file is read once more, now that it is watched.
                    continue
                }
                report(reading, of: source)
                switch reading {
                case .more, .loss: break
                case .end: try end(source, id)
                case .idle, .failing:
                    if source.isEnding, run.waitTime == nil {
                        try end(source, id)
                    } else {
                        awaitChange(of: source, run, id)
                    }
                }
                if case .failing = reading {
                    // No change of the file need tell that it can be read again.
                    due[id] = min(due[id] ?? .max, capture.clock.monotonicMicroseconds() + Self.scanInterval)
                }
            } catch let error as SystemError where error.code == ECANCELED {
                return false
            } catch {
                beginAgainLater(source, id, error)
            }
        }
        return true
    }

    /// Reports that a source's file cannot be read, or is not there yet, once, and that it can again.
    private func report(_ reading: ReadResult, of source: Followed) {
        let subject = "source \(source.definition.name)"
        if case .failing(let reason) = reading {
            source.isFailing = true
            source.isAwaited = false
            capture.problems.report(subject, reason, .warning, to: capture.diagnostics)
        } else if source.isAwaited, FileAttributes(at: source.path) == nil {
            let problem = "waits for \(source.path), which does not exist"
            capture.problems.report(subject, problem, .notice, to: capture.diagnostics)
        } else if source.isAwaited {
            source.isAwaited = false
            capture.problems.clear(subject)
        } else if source.isFailing {
            source.isFailing = false
            capture.problems.clear(subject)
        }
    }

    /// After an error, which may have struck between the parts of what was read, a source is closed: later it begins
    /// again where its last committed record ended.
    private func beginAgainLater(_ source: Followed, _ id: LogFileWatch.ID, _ error: any Error) {
        source.run?.close()
        source.run = nil
        open.remove(id)
        ready.remove(id)
        due[id] = capture.clock.monotonicMicroseconds() + Self.scanInterval
        capture.problems.report("source \(source.definition.name)", "\(error)", .error, to: capture.diagnostics)
    }

    /// The reading of a source that is closed; nil as long as it has no file: nothing is stored of what has not spoken.
    private func opened(_ source: Followed) throws -> (any FileRun)? {
        let isThere = !source.isTransient || source.definition.paths.contains { FileAttributes(at: $0) != nil }
        return isThere ? try begun(source.definition) : nil
    }

    /// A source has no more now.
    private func awaitChange(of source: Followed, _ run: any FileRun, _ id: LogFileWatch.ID) {
        let now = capture.clock.monotonicMicroseconds()
        ready.remove(id)
        source.pacing.didRead(run.readSize, at: now)
        due[id] = [run.restTime, run.waitTime].compactMap { $0 }.min().map { now + $0 }
        closeIdle()
    }

    /// Closes the sources that have been idle for longest, when many are open: the next change opens them again where
    /// they ended.
    private func closeIdle() {
        guard open.count > openLimit else {
            return
        }
        let idle = open.filter { due[$0] == nil && !ready.contains($0) }
            .sorted { followed[$0]?.lastTurn ?? 0 < followed[$1]?.lastTurn ?? 0 }
        for id in idle.prefix(open.count - openLimit / 2) {
            let source = followed[id]
            source?.end = source?.run?.end
            source?.closedSize = source.flatMap { FileAttributes(at: $0.path)?.size }
            source?.run?.close()
            source?.run = nil
            open.remove(id)
        }
    }

    /// Watches another file of the source, when it has gone on to that one, or waits for it; returns whether it does.
    private func follow(_ source: Followed, _ id: LogFileWatch.ID) -> Bool {
        let awaited = source.run == nil ? source.definition.paths.last : nil
        let path = source.run?.path ?? awaited ?? source.path
        guard path != source.path else {
            return false
        }
        forget(id)
        source.path = path
        add(source)
        return true
    }

    /// Watches the files of a source, which may have changed before.
    func add(_ source: Followed) {
        let id = watch.add(source.path)
        followed[id] = source
        watches[Bytewise(source.definition.name)] = id
        ready.insert(id)
    }

    private func end(_ source: Followed, _ id: LogFileWatch.ID) throws {
        let name = Bytewise(source.definition.name)
        // A source of that name with another definition reads on.
        if !present.contains(where: { Bytewise($0.name) == name }) {
            try source.run?.finishInput()
            source.end?.write()
        }
        source.run?.close()
        forget(id)
        watches[name] = nil
        if source.isMatch {
            folderTimes = [:]
        }
        // It may have come back, or its stream is awaited by another.
        nextScan = 0
    }

    private func forget(_ id: LogFileWatch.ID) {
        watch.remove(id)
        followed[id] = nil
        open.remove(id)
        due[id] = nil
        ready.remove(id)
    }

    // MARK: - Waiting

    /// Has the files that have changed, or are due, read.
    private func noteChanges() {
        let now = capture.clock.monotonicMicroseconds()
        for id in watch.changes() where !ready.contains(id) {
            if let source = followed[id], source.end != nil, let size = FileAttributes(at: source.path)?.size,
                size != source.closedSize
            {
                // It was written to since: if it goes before that is read, something is missing.
                source.end = nil
            }
            // One that has failed begins again when that is due.
            guard let source = followed[id], source.run != nil || due[id] == nil else {
                continue
            }
            let delay = source.pacing.delay(at: now)
            if delay == 0 {
                ready.insert(id)
            } else {
                due[id] = min(due[id] ?? .max, now + delay)
            }
        }
        for (id, time) in due where time <= now {
            due[id] = nil
            ready.insert(id)
        }
    }

    private func wait() {
        let now = capture.clock.monotonicMicroseconds()
        var end = min(nextScan, due.values.min() ?? .max)
        if watch.isPolling {
            end = min(end, now + LogFileWatch.pollInterval)
        }
        var polled = [pollfd(interruption.descriptor), pollfd(updates.event.descriptor)]
        // Files that are read soon have changes all the time.
        let isPaced = due.values.contains { $0 - now <= Self.pace }
        if isPaced {
            end = min(end, now + Self.pacedWait)
        } else if let descriptor = watch.descriptor {
            polled.append(pollfd(descriptor))
        }
        Poll.wait(for: &polled, microseconds: end == .max ? nil : end - now)
    }
}
