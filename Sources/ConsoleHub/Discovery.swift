import CLinux
import Glibc
import SystemIO

/// Watches folders for consoles. Lives on the hub's control thread.
///
/// Where the kernel refuses a watch, as it does beyond a number per user, all is looked at now and then instead.
final class Discovery: EventHandler, @unchecked Sendable {
    // Sendable because it is touched on the control thread alone, after its callbacks were set.

    /// What tells that a path leads to something else than before; nil: to nothing.
    private struct Stamp: Hashable {
        let inode: UInt
        let changed: Int

        init?(_ path: String) {
            var status = stat()
            guard lstat(path, &status) == 0 else {
                return nil
            }
            inode = UInt(status.st_ino)
            changed = status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
        }
    }

    private let loop: EventLoop
    private let diagnostics: Diagnostics
    private let watch: Result<DirectoryWatch, SystemError>
    private var token: EventLoop.Token?
    private var patterns: [DiscoveryPattern] = []
    private var folders: [Int32: String] = [:]
    private var byPath: [String: Int32] = [:]
    /// Consoles' paths, with what each led to when all was looked at last.
    private var paths: [String: Stamp?] = [:]
    /// Folders that the kernel does not watch for us.
    private var refused: Set<String> = []
    private var nextLook: EventLoop.TimerToken?

    /// A console's place was found.
    var onFound: (ConsoleHub.Definition) -> Void = { _ in }
    /// A path has appeared, changed or gone.
    var onChanged: (String) -> Void = { _ in }
    /// A path has gone, though it may have come back.
    var onGone: (String) -> Void = { _ in }

    /// What happens in a folder, access rights included: they may be all that was missing.
    private static let events = DirectoryWatch.entries | UInt32(IN_ATTRIB)
    /// How often all is looked at where there is no watch, in microseconds.
    private static let lookInterval: Int64 = 30_000_000

    /// A discovery on `loop`, by `watch`, or without one when there is none to be had.
    init(
        loop: EventLoop,
        diagnostics: Diagnostics,
        watch: Result<DirectoryWatch, SystemError> = Result { () throws(SystemError) in try DirectoryWatch() }
    ) throws(SystemError) {
        self.loop = loop
        self.diagnostics = diagnostics
        self.watch = watch
        if case .success(let watch) = watch {
            token = try loop.add(watch.descriptor, for: .readable, self)
        }
    }

    func setPatterns(_ patterns: [DiscoveryPattern]) {
        self.patterns = patterns
    }

    /// Looks through everything there is.
    func begin() {
        for pattern in patterns {
            look(in: "", pattern, level: 0, values: [:])
        }
    }

    /// Tells from now on what becomes of `path`, and what has become of it.
    func follow(_ path: String) {
        watchFolder(Self.folder(of: path))
        let stamp = Stamp(path)
        paths.updateValue(stamp, forKey: path)
        tell(of: path, isGone: stamp == nil)
    }

    /// Forgets `path`.
    func unfollow(_ path: String) {
        paths[path] = nil
    }

    private func tell(of path: String, isGone: Bool) {
        if isGone {
            onGone(path)
        }
        onChanged(path)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            return "/"
        }
        return String(path[..<slash])
    }

    // MARK: - Watching

    /// Watches `folder`, or the nearest folder above it that is there.
    private func watchFolder(_ folder: String) {
        var path = folder
        while byPath[path] == nil {
            do throws(SystemError) {
                let number = try watch.get().add(path, mask: Self.events)
                folders[number] = path
                byPath[path] = number
                refused.remove(path)
                // Before the watch on one above began, the folder may have been made.
                path = folder
            } catch {
                guard error.code == ENOENT, path != "/" else {
                    refuse(path, error)
                    return
                }
                path = Self.folder(of: path)
            }
        }
    }

    private func refuse(_ folder: String, _ error: SystemError) {
        if refused.isEmpty {
            let seconds = Self.lookInterval / 1_000_000
            diagnostics.say(.warning, "cannot watch for consoles: \(error); they are looked for every \(seconds) s")
        }
        refused.insert(folder)
        if nextLook == nil {
            nextLook = loop.schedule(afterMicroseconds: Self.lookInterval) { [weak self] in
                self?.nextLook = nil
                self?.lookAtAll()
            }
        }
    }

    /// Looks at everything without having been told what has changed.
    func lookAtAll() {
        refused = refused.filter { Stamp($0) != nil }
        for (path, before) in paths {
            let now = Stamp(path)
            paths.updateValue(now, forKey: path)
            if now != before {
                tell(of: path, isGone: now == nil)
            }
        }
        watchAll()
        begin()
    }

    private func watchAll() {
        for (folder, paths) in Dictionary(grouping: paths.keys, by: Self.folder) where byPath[folder] == nil {
            watchFolder(folder)
            // What was made before the watch began has told nobody.
            for path in paths where byPath[folder] != nil {
                onChanged(path)
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
            lookAtAll()
        } else if !events.isEmpty {
            watchAll()
            begin()
        }
    }

    private func handle(_ event: DirectoryWatch.Event, of watch: DirectoryWatch) {
        guard let folder = folders[event.watch] else {
            return
        }
        if event.mask & UInt32(IN_IGNORED) != 0 {
            folders[event.watch] = nil
            byPath[folder] = nil
        } else if event.mask & UInt32(IN_MOVE_SELF) != 0 {
            // Its path leads elsewhere now.
            watch.remove(event.watch)
        } else if !event.name.isEmpty {
            let path = folder == "/" ? "/" + event.name : folder + "/" + event.name
            tell(of: path, isGone: event.mask & UInt32(IN_DELETE | IN_MOVED_FROM) != 0)
        }
    }

    // MARK: - Looking

    private func look(in folder: String, _ pattern: DiscoveryPattern, level: Int, values: [String: String]) {
        let component = pattern.components[level]
        let isLast = level == pattern.components.count - 1
        if component.count == 1, case .literal(let name) = component[0] {
            let path = folder + "/" + name
            if isLast {
                watchFolder(folder.isEmpty ? "/" : folder)
                found(path, pattern, values)
                return
            }
            if Stamp(path) == nil {
                watchFolder(path)
            }
            // Also when it was made just before the watch began.
            if Stamp(path) != nil {
                look(in: path, pattern, level: level + 1, values: values)
            }
            return
        }
        watchFolder(folder.isEmpty ? "/" : folder)
        guard let stream = opendir(folder.isEmpty ? "/" : folder) else {
            return
        }
        defer { closedir(stream) }
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard name != ".", name != "..", let more = DiscoveryPattern.match(component, name[...]) else {
                continue
            }
            let path = folder + "/" + name
            let all = values.merging(more) { _, new in new }
            if isLast {
                found(path, pattern, all)
            } else {
                look(in: path, pattern, level: level + 1, values: all)
            }
        }
    }

    private func found(_ path: String, _ pattern: DiscoveryPattern, _ values: [String: String]) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            return
        }
        let endpoint: Endpoint
        switch status.st_mode & S_IFMT {
        case S_IFSOCK: endpoint = .connect(path: path)
        case S_IFIFO: endpoint = .fifo(path: path)
        case S_IFCHR: endpoint = .terminal(path: path)
        default: return
        }
        do throws(DefinitionError) {
            onFound(try pattern.definition(at: endpoint, values))
        } catch {
            diagnostics.say(.warning, "\(path) is not captured: \(error)")
        }
    }
}
