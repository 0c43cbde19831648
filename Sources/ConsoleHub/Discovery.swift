import CLinux
import Glibc
import SystemIO

/// Watches folders for consoles. Lives on the hub's control thread.
final class Discovery: EventHandler, @unchecked Sendable {
    // Sendable because it is touched on the control thread alone, after its callbacks were set.

    private let loop: EventLoop
    private let diagnostics: Diagnostics
    private let watch: DirectoryWatch
    private var token: EventLoop.Token?
    private var patterns: [DiscoveryPattern] = []
    private var folders: [Int32: String] = [:]
    private var byPath: [String: Int32] = [:]
    /// Folders watched for an endpoint's sake.
    private var wanted: Set<String> = []

    /// A console's place was found.
    var onFound: (ConsoleHub.Definition) -> Void = { _ in }
    /// A path has appeared or changed.
    var onChanged: (String) -> Void = { _ in }
    /// A path has gone, though it may have come back.
    var onGone: (String) -> Void = { _ in }

    init(loop: EventLoop, diagnostics: Diagnostics) throws(SystemError) {
        self.loop = loop
        self.diagnostics = diagnostics
        watch = try DirectoryWatch()
        token = try loop.add(watch.descriptor, for: .readable, self)
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

    /// Watches the folder of an endpoint that was named by hand.
    func watchFolder(of path: String) {
        let folder = Self.folder(of: path)
        wanted.insert(folder)
        watchFolder(folder)
        onChanged(path)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            return "/"
        }
        return String(path[..<slash])
    }

    /// Watches `folder`, or the nearest folder above it that is there.
    private func watchFolder(_ folder: String) {
        var path = folder
        while byPath[path] == nil {
            do throws(SystemError) {
                let number = try watch.add(path, mask: DirectoryWatch.entries)
                folders[number] = path
                byPath[path] = number
            } catch {
                guard error.code == ENOENT, path != "/" else {
                    diagnostics.say(.warning, "cannot watch for consoles: \(error)")
                    return
                }
                path = Self.folder(of: path)
            }
        }
    }

    func handle(_ readiness: Readiness) {
        var needsLook = false
        for event in watch.drain() {
            if event.isOverflow {
                needsLook = true
                continue
            }
            guard let folder = folders[event.watch] else {
                continue
            }
            if event.mask & UInt32(IN_IGNORED) != 0 {
                folders[event.watch] = nil
                byPath[folder] = nil
                needsLook = true
                continue
            }
            let path = folder == "/" ? "/" + event.name : folder + "/" + event.name
            if event.mask & UInt32(IN_DELETE | IN_MOVED_FROM) != 0 {
                onGone(path)
            } else {
                onChanged(path)
            }
            needsLook = true
        }
        if needsLook {
            for folder in wanted {
                watchFolder(folder)
            }
            begin()
        }
    }

    private func look(in folder: String, _ pattern: DiscoveryPattern, level: Int, values: [String: String]) {
        let component = pattern.components[level]
        let isLast = level == pattern.components.count - 1
        if component.count == 1, case .literal(let name) = component[0] {
            let path = folder + "/" + name
            if isLast {
                found(path, pattern, values)
                watchFolder(folder.isEmpty ? "/" : folder)
            } else {
                var status = stat()
                if stat(path, &status) != 0 {
                    watchFolder(path)
                } else {
                    look(in: path, pattern, level: level + 1, values: values)
                }
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
