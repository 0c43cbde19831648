// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
public import SystemIO

/// Finds the files whose paths match patterns, and watches their folders for more. Lives on its owner's loop.
///
/// Where the kernel refuses a watch, as it does beyond a limit per user, everything is scanned at intervals instead.
public final class PathDiscovery: EventHandler, @unchecked Sendable {
    // Sendable because it is touched on the loop's thread alone, after its callbacks were set.

    /// A file that was found.
    public struct Found {
        /// The index of its pattern.
        public var pattern: Int
        public var path: String
        public var kind: FileAttributes.Kind
        /// The values of the placeholders.
        public var values: [String: String]
    }

    private typealias Path = Bytewise<String>

    private let loop: EventLoop
    private let diagnostics: Diagnostics
    private let problems: Problems
    private let watch: Result<DirectoryWatch, SystemError>
    private var token: EventLoop.Token?
    private let purpose: String
    private var patterns: [PathPattern] = []
    /// The folders of each watch: one folder may have several paths.
    private var folders: [Int32: Set<Path>] = [:]
    private var watches: [Path: Int32] = [:]
    /// The followed paths, with the file found there by the last scan.
    private var paths: [Path: FileAttributes?] = [:]
    /// Folders that the kernel refuses to watch.
    private var refused: Set<Path> = []
    /// Files that are not captured, which are logged once each.
    private var ignored: [Path: FileIdentity?] = [:]
    private var nextScan: EventLoop.TimerToken?

    /// Called for each file that matches, at each scan. Returns why it is not captured, which is logged once; nil: it is,
    /// or there is nothing to say.
    public var onFound: (Found) -> String? = { _ in nil }
    /// Called when a followed path has appeared, changed or gone.
    public var onChanged: (String) -> Void = { _ in }
    /// Called when a followed path has gone, though it may have come back.
    public var onGone: (String) -> Void = { _ in }

    /// Events of a folder, changed permissions included: they may make a file accessible.
    private static let events = DirectoryWatch.entries | UInt32(IN_ATTRIB)
    /// The interval between scans where there is no watch, in microseconds.
    private static let scanInterval: Int64 = 30_000_000

    /// A discovery of `purpose`, such as "consoles", on `loop` with `watch`; without a watch it scans at intervals.
    public init(
        of purpose: String,
        on loop: EventLoop,
        diagnostics: Diagnostics,
        problems: Problems,
        watch: Result<DirectoryWatch, SystemError> = Result { () throws(SystemError) in try DirectoryWatch() }
    ) throws(SystemError) {
        self.purpose = purpose
        self.loop = loop
        self.diagnostics = diagnostics
        self.problems = problems
        self.watch = watch
        if case .success(let watch) = watch {
            token = try loop.add(watch.descriptor, for: .readable, self)
        }
    }

    public func setPatterns(_ patterns: [PathPattern]) {
        // A problem of a pattern that stays is not a new one at the next scan.
        self.patterns.filter { !patterns.contains($0) }.forEach { note(nil, of: $0) }
        self.patterns = patterns
    }

    /// Scans everything.
    public func begin() {
        for (index, pattern) in patterns.enumerated() {
            scan(for: pattern, index)
        }
    }

    /// Reports changes of `path` from now on, and its current state.
    public func follow(_ path: String) {
        watchFolder(DirectoryHandle.split(path).directory)
        let status = FileAttributes(at: path)
        paths.updateValue(status, forKey: Path(path))
        notify(of: path, isGone: status == nil)
    }

    /// Stops reporting changes of `path`.
    public func unfollow(_ path: String) {
        paths[Path(path)] = nil
    }

    private func notify(of path: String, isGone: Bool) {
        if isGone {
            ignored[Path(path)] = nil
            onGone(path)
        }
        onChanged(path)
    }

    // MARK: - Watching

    /// Watches `folder`, or its nearest existing parent.
    func watchFolder(_ folder: String) {
        var path = folder
        while watches[Path(path)] == nil {
            do throws(SystemError) {
                try watch(path, by: path)
                // The folder may have been created before the watch on its parent began.
                path = folder
            } catch {
                guard error.code == ENOENT, path != "/" else {
                    refuse(path, error)
                    return
                }
                path = DirectoryHandle.split(path).directory
            }
        }
    }

    /// Watches the folder itself, independently of its path.
    func watchFolder(_ folder: borrowing DirectoryHandle) {
        guard watches[Path(folder.path)] == nil else {
            return
        }
        do throws(SystemError) {
            try watch(folder.path, by: folder.procPath)
        } catch {
            refuse(folder.path, error.of(folder.path))
        }
    }

    private func watch(_ folder: String, by path: String) throws(SystemError) {
        let number = try watch.get().add(path, mask: Self.events)
        folders[number, default: []].insert(Path(folder))
        watches[Path(folder)] = number
        if refused.remove(Path(folder)) != nil, refused.isEmpty {
            problems.clear(subject)
        }
    }

    /// Reports why the folder of a pattern cannot be scanned; nil: it can. It may be missing because no VM was started yet,
    /// or because the pattern is wrong.
    func note(_ error: SystemError?, of pattern: PathPattern) {
        let subject = "\(purpose) at \(pattern.text)"
        guard let error else {
            problems.clear(subject)
            return
        }
        let problem =
            error.code == ENOENT ? "the folder \(pattern.trustedFolder) does not exist; waiting for it" : "\(error)"
        problems.report(subject, problem, .warning, to: diagnostics)
    }

    /// The subject of its problem.
    private var subject: String { "watched folders of \(purpose)" }

    private func refuse(_ folder: String, _ error: SystemError) {
        if refused.isEmpty {
            report(error)
        }
        refused.insert(Path(folder))
        if nextScan == nil {
            nextScan = loop.schedule(afterMicroseconds: Self.scanInterval) { [weak self] in
                self?.nextScan = nil
                self?.scanAll()
            }
        }
    }

    private func report(_ error: SystemError) {
        let interval = Self.scanInterval / 1_000_000
        let problem = "cannot watch for \(purpose): \(error); scanning every \(interval) s\(error.watchRemedy)"
        if problems.raise(subject, problem) {
            diagnostics.log(.warning, problem)
        }
    }

    /// Scans everything when there are no events to rely on.
    public func scanAll() {
        refused = refused.filter { FileAttributes(at: $0.wrappedValue) != nil }
        if refused.isEmpty {
            problems.clear(subject)
        }
        ignored = ignored.filter { FileAttributes(at: $0.key.wrappedValue)?.identity == $0.value }
        for (path, before) in paths {
            let now = FileAttributes(at: path.wrappedValue)
            paths.updateValue(now, forKey: path)
            if now?.identity != before?.identity || now?.changed != before?.changed {
                notify(of: path.wrappedValue, isGone: now == nil)
            }
        }
        watchAll()
        begin()
    }

    private func watchAll() {
        let byFolder = Dictionary(grouping: paths.keys) { Path(DirectoryHandle.split($0.wrappedValue).directory) }
        for (folder, paths) in byFolder where watches[folder] == nil {
            watchFolder(folder.wrappedValue)
            // Entries created before the watch began caused no event.
            for path in paths where watches[folder] != nil {
                onChanged(path.wrappedValue)
            }
        }
    }

    public func handle(_ readiness: Readiness) {
        guard case .success(let watch) = watch else {
            return
        }
        let events = watch.drain()
        for event in events {
            handle(event, of: watch)
        }
        if events.contains(where: \.isOverflow) {
            scanAll()
        } else if !events.isEmpty {
            watchAll()
            begin()
        }
    }

    private func handle(_ event: DirectoryWatch.Event, of watch: DirectoryWatch) {
        guard let paths = folders[event.watch] else {
            return
        }
        if event.mask & UInt32(IN_IGNORED) != 0 {
            folders[event.watch] = nil
            paths.forEach { watches[$0] = nil }
        } else if event.mask & UInt32(IN_MOVE_SELF) != 0 {
            // The path leads to another folder now.
            watch.remove(event.watch)
        } else if !event.name.isEmpty {
            for folder in paths {
                let path = folder.wrappedValue == "/" ? "/" + event.name : folder.wrappedValue + "/" + event.name
                notify(of: path, isGone: event.mask & UInt32(IN_DELETE | IN_MOVED_FROM) != 0)
            }
        }
    }

    /// Logs, once for each file, that the file at `path` is not captured.
    func ignore(_ path: String, _ status: FileAttributes?, _ reason: String) {
        let before = ignored.updateValue(status?.identity, forKey: Path(path))
        guard before != .some(status?.identity) else {
            return
        }
        diagnostics.log(.warning, "\(path) is not captured: \(reason)")
    }
}
