// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO

/// Watches folders for consoles. Lives on the hub's control thread.
///
/// Where the kernel refuses a watch, as it does beyond a limit per user, everything is scanned at intervals instead.
final class Discovery: EventHandler, @unchecked Sendable {
    // Sendable because it is touched on the control thread alone, after its callbacks were set.

    private typealias Path = Bytewise<String>

    private let loop: EventLoop
    private let diagnostics: Diagnostics
    private let problems: Problems
    private let watch: Result<DirectoryWatch, SystemError>
    private var token: EventLoop.Token?
    private var patterns: [DiscoveryPattern] = []
    /// The folders of each watch: one folder may have several paths.
    private var folders: [Int32: Set<Path>] = [:]
    private var watches: [Path: Int32] = [:]
    /// The followed paths, with the file found there by the last scan.
    private var paths: [Path: FileAttributes?] = [:]
    /// Folders that the kernel refuses to watch.
    private var refused: Set<Path> = []
    /// Files that are not captured, which are logged once each.
    private var ignored: [Path: FileAttributes.Identity?] = [:]
    private var nextScan: EventLoop.TimerToken?

    /// Called for a discovered console.
    var onFound: (ConsoleHub.Definition) -> Void = { _ in }
    /// Called when a followed path has appeared, changed or gone.
    var onChanged: (String) -> Void = { _ in }
    /// Called when a followed path has gone, though it may have come back.
    var onGone: (String) -> Void = { _ in }

    /// Events of a folder, changed permissions included: they may make a console accessible.
    private static let events = DirectoryWatch.entries | UInt32(IN_ATTRIB)
    /// The interval between scans where there is no watch, in microseconds.
    private static let scanInterval: Int64 = 30_000_000

    /// A discovery on `loop` with `watch`; without a watch it scans at intervals.
    init(
        loop: EventLoop,
        diagnostics: Diagnostics,
        problems: Problems,
        watch: Result<DirectoryWatch, SystemError> = Result { () throws(SystemError) in try DirectoryWatch() }
    ) throws(SystemError) {
        self.loop = loop
        self.diagnostics = diagnostics
        self.problems = problems
        self.watch = watch
        if case .success(let watch) = watch {
            token = try loop.add(watch.descriptor, for: .readable, self)
        }
    }

    func setPatterns(_ patterns: [DiscoveryPattern]) {
        self.patterns = patterns
    }

    /// Scans everything.
    func begin() {
        patterns.forEach(scan)
    }

    /// Reports changes of `path` from now on, and its current state.
    func follow(_ path: String) {
        watchFolder(DirectoryHandle.split(path).directory)
        let status = FileAttributes(at: path)
        paths.updateValue(status, forKey: Path(path))
        notify(of: path, isGone: status == nil)
    }

    /// Stops reporting changes of `path`.
    func unfollow(_ path: String) {
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
    private func watchFolder(_ folder: String) {
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
    private func watchFolder(_ folder: borrowing DirectoryHandle) {
        guard watches[Path(folder.path)] == nil else {
            return
        }
        do throws(SystemError) {
            try watch(folder.path, by: folder.procPath)
        } catch {
            refuse(folder.path, SystemError(error.operation, folder.path, code: error.code))
        }
    }

    private func watch(_ folder: String, by path: String) throws(SystemError) {
        let number = try watch.get().add(path, mask: Self.events)
        folders[number, default: []].insert(Path(folder))
        watches[Path(folder)] = number
        if refused.remove(Path(folder)) != nil, refused.isEmpty {
            problems.clear(Self.subject)
        }
    }

    /// The subject of its problem.
    private static let subject = "watched folders"

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
        let isLimit = [EMFILE, ENOSPC].contains(error.code)
        let remedy = isLimit ? " (limits: fs.inotify.max_user_watches and fs.inotify.max_user_instances)" : ""
        let problem = "cannot watch for consoles: \(error); scanning every \(Self.scanInterval / 1_000_000) s\(remedy)"
        if problems.raise(Self.subject, problem) {
            diagnostics.log(.warning, problem)
        }
    }

    /// Scans everything when there are no events to rely on.
    func scanAll() {
        refused = refused.filter { FileAttributes(at: $0.wrappedValue) != nil }
        if refused.isEmpty {
            problems.clear(Self.subject)
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

    func handle(_ readiness: Readiness) {
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

    // MARK: - Looking

    /// Scans the folders of a pattern: by path up to the first placeholder, from there by each folder's descriptor, so
    /// that no link is followed where other users may create one.
    private func scan(for pattern: DiscoveryPattern) {
        watchFolder(pattern.trustedFolder)
        guard let folder = try? DirectoryHandle(pattern.trustedFolder) else {
            return
        }
        scan(in: folder, pattern, level: pattern.literal.count, values: [:])
    }

    private func scan(
        in folder: borrowing DirectoryHandle,
        _ pattern: DiscoveryPattern,
        level: Int,
        values: [String: String]
    ) {
        let component = pattern.components[level]
        let isLast = level == pattern.components.count - 1
        var names: [String] = []
        if component.count == 1, case .literal(let name) = component[0] {
            names = [name]
        }
        // A folder in which a single existing name is of interest needs no watch.
        if isLast || names.isEmpty || folder.attributes(of: names[0]) == nil {
            watchFolder(folder)
        }
        if names.isEmpty {
            names = self.names(in: folder, like: component, pattern)
        }
        for name in names {
            guard let more = DiscoveryPattern.match(component, name[...].utf8) else {
                continue
            }
            let all = values.merging(more) { _, new in new }
            if isLast {
                found(name, in: folder, pattern, all)
            } else {
                enter(name, in: folder, pattern, level: level + 1, values: all)
            }
        }
    }

    private func enter(
        _ name: String,
        in folder: borrowing DirectoryHandle,
        _ pattern: DiscoveryPattern,
        level: Int,
        values: [String: String]
    ) {
        do throws(SystemError) {
            scan(in: try folder.directory(name), pattern, level: level, values: values)
        } catch  where error.code == ELOOP {
            ignore(folder.path(of: name), folder.attributes(of: name), error.reason)
        } catch {}
    }

    /// The names in `folder` that match `component`. Names that match except for their form are logged as not captured.
    private func names(
        in folder: borrowing DirectoryHandle,
        like component: [DiscoveryPattern.Part],
        _ pattern: DiscoveryPattern
    ) -> [String] {
        var names: [String] = []
        var others: [(name: String, reason: String)] = []
        try? folder.forEachName { bytes in
            let name = String(decoding: bytes, as: UTF8.self)
            if !name.utf8.elementsEqual(bytes) {
                if DiscoveryPattern.match(component, name[...].utf8, requiringUUID: false) != nil {
                    others.append((name, "its name is not UTF-8"))
                }
            } else if DiscoveryPattern.match(component, name[...].utf8) != nil {
                names.append(name)
            } else if DiscoveryPattern.match(component, name[...].utf8, requiringUUID: false) != nil {
                others.append((name, "the part for {uuid} in \(pattern.text) is not a UUID"))
            }
        }
        for other in others {
            ignore(folder.path(of: other.name), folder.attributes(of: other.name), other.reason)
        }
        return names
    }

    private func found(
        _ name: String,
        in folder: borrowing DirectoryHandle,
        _ pattern: DiscoveryPattern,
        _ values: [String: String]
    ) {
        let path = folder.path(of: name)
        guard let status = folder.attributes(of: name) else {
            return
        }
        let endpoint: Endpoint
        switch status.kind {
        case .socket: endpoint = .connect(path: path)
        case .fifo: endpoint = .fifo(path: path)
        case .characterDevice: endpoint = .terminal(path: path)
        case .link:
            return ignore(path, status, "it is a symbolic link; watched folders must contain the console itself")
        case .regular, .directory, .blockDevice:
            return
        }
        do {
            let definition = try pattern.definition(at: endpoint, values)
            if case .terminal = endpoint {
                // Other devices must not even be registered as consoles.
                _ = try endpoint.locate(trusted: pattern.trustedFolder)
            }
            onFound(definition)
        } catch let error as SystemError {
            ignore(path, status, error.reason)
        } catch {
            ignore(path, status, "\(error)")
        }
    }

    /// Logs, once for each file, that the file at `path` is not captured.
    private func ignore(_ path: String, _ status: FileAttributes?, _ reason: String) {
        let before = ignored.updateValue(status?.identity, forKey: Path(path))
        guard before != .some(status?.identity) else {
            return
        }
        diagnostics.log(.warning, "\(path) is not captured: \(reason)")
    }
}
