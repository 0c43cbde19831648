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
/// are looked for every ten seconds.
final class FileSources {
    private let sources: [SourceDefinition]
    private let pipeline: Pipeline
    private let capture: CaptureService
    private let interruption: Interruption
    private let watch: LogFileWatch
    private let buffer = FollowBuffer()
    private var runs: [LogFileWatch.ID: SourceRun] = [:]
    private var paths: Set<Bytewise<String>> = []
    /// Files that may have more.
    private var ready: Set<LogFileWatch.ID> = []

    private static let scanInterval: Int64 = 10_000_000

    init(_ sources: [SourceDefinition], _ pipeline: Pipeline, _ capture: CaptureService, _ interruption: Interruption) {
        self.sources = sources
        self.pipeline = pipeline
        self.capture = capture
        self.interruption = interruption
        watch = LogFileWatch { [diagnostics = capture.diagnostics] in diagnostics.log(.warning, $0) }
    }

    /// Reads until the interruption is raised, or capture stops.
    func run() {
        defer { runs.values.forEach { $0.close() } }
        var nextScan: Int64 = 0
        while !interruption.isRaised() {
            let now = capture.clock.monotonicMicroseconds()
            if now >= nextScan {
                addFiles()
                nextScan = hasPatterns ? now + Self.scanInterval : .max
            }
            guard step() else {
                return
            }
            if ready.isEmpty {
                wait(until: nextScan)
            }
            ready.formUnion(watch.changes())
        }
    }

    private var hasPatterns: Bool { sources.contains { Self.isPattern($0) } }

    private static func isPattern(_ source: SourceDefinition) -> Bool {
        guard case .files(let path, _, _) = source.kind else {
            return false
        }
        return VMPattern.isPattern(path)
    }

    // MARK: - Reading

    /// Gives each file that is ready a turn; returns false when capture has stopped.
    private func step() -> Bool {
        for id in ready {
            guard let run = runs[id] else {
                ready.remove(id)
                continue
            }
            do {
                if try run.step() == .idle {
                    ready.remove(id)
                }
            } catch let error as SystemError where error.code == ECANCELED {
                return false
            } catch {
                ready.remove(id)
                capture.diagnostics.log(.error, "\(error)")
            }
        }
        return true
    }

    private func wait(until nextScan: Int64) {
        let now = capture.clock.monotonicMicroseconds()
        var limit = nextScan == .max ? Int64.max : max(0, nextScan - now)
        let unmarked = runs.filter { !$0.value.isMarked }.map(\.key)
        if !unmarked.isEmpty {
            limit = min(limit, SourceRun.markWait)
        }
        if watch.isPolling {
            limit = min(limit, LogFileWatch.pollInterval)
        }
        var places = [pollfd(fd: interruption.descriptor, events: Int16(POLLIN), revents: 0)]
        if let descriptor = watch.descriptor {
            places.append(pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0))
        }
        let milliseconds = limit == .max ? -1 : Int32(clamping: (limit + 999) / 1000)
        _ = poll(&places, nfds_t(places.count), milliseconds)
        // They write their marks.
        ready.formUnion(unmarked)
    }

    // MARK: - Files

    private func addFiles() {
        for source in sources {
            guard case .files(let path, let format, let readsFromHead) = source.kind else {
                continue
            }
            guard Self.isPattern(source) else {
                add(path, source, format, readsFromHead)
                continue
            }
            for match in Self.matches(of: path) {
                var own = source
                own.name = source.name + " " + match
                own.stream = Self.stream(of: match, like: source.stream)
                add(match, own, format, readsFromHead)
            }
        }
    }

    private func add(_ path: String, _ source: SourceDefinition, _ format: RecordFormat, _ readsFromHead: Bool) {
        guard paths.insert(Bytewise(path)).inserted else {
            return
        }
        let input = FileInput(path, format, readsFromHead: readsFromHead, buffer: buffer)
        let run = SourceRun(source, input, pipeline: pipeline, into: capture, interruption: interruption)
        do {
            try run.begin()
            let id = watch.add(path)
            runs[id] = run
            ready.insert(id)
        } catch {
            capture.diagnostics.log(.error, "source \(source.name): \(error)")
        }
    }

    /// The files that match a shell pattern, without the rotated ones beside them.
    private static func matches(of pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else {
            return []
        }
        let paths = (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
        let all = Set(paths)
        return paths.filter { path in
            // `a.log.1` and `a.log-20261120` belong to `a.log`.
            !path.utf8.indices.contains { place in
                [0x2e, 0x2d].contains(path.utf8[place]) && all.contains(String(path[..<place]))
            }
        }
    }

    /// The stream of one of several files: a name that resembles the file's, and is its own.
    private static func stream(of path: String, like stream: StreamName) -> StreamName {
        let hash = String(path.stableHash() & 0xffff_ffff, radix: 16)
        return StreamName(String(stream.text.prefix(55)) + "-" + hash) ?? stream
    }
}
