// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import RotatingFile
import SystemIO

// Which sources are read.
extension FileSources {
    var hasPatterns: Bool { configured.contains { Self.isPattern($0) } }

    private static func isPattern(_ source: SourceDefinition) -> Bool {
        guard case .files(let path, _, _) = source.kind else {
            return false
        }
        return ShellPattern.isPattern(path)
    }

    /// Begins the sources that are not read yet, and ends those that have gone; returns false when one of them could
    /// not be begun.
    func beginNew() -> Bool {
        var isComplete = true
        endRemoved()
        for source in configured {
            guard Self.isPattern(source), case .files(let path, let format, let readsFromHead) = source.kind else {
                isComplete = begin(source) && isComplete
                continue
            }
            noteFolder(of: path, source.name)
            // Files that come later are read from their first byte.
            let isFirst = scanned.insert(Bytewise(path)).inserted
            let firstScan = isFirst && source.beginsAtEnd ? firstScan(of: source) : nil
            for match in newMatches(of: path) {
                var own = source
                own.name = source.name + " " + match
                own.stream = Self.stream(of: match, like: source.stream)
                let isLater = !isFirst || firstScan.map { Self.wasMade(match, after: $0) } == true
                own.kind = .files(path: match, format, readsFromHead: readsFromHead || isLater)
                isComplete = begin(own, isMatch: true) && isComplete
            }
        }
        if !isComplete {
            folderTimes = [:]
        }
        adoptPresent()
        for source in present {
            isComplete = begin(source, isTransient: true) && isComplete
        }
        return isComplete
    }

    /// Reports that the folder of a pattern does not exist, once, and that it does. That no file matches is no problem.
    private func noteFolder(of pattern: String, _ name: String) {
        let folder = DirectoryHandle.split(pattern).directory
        guard !ShellPattern.isPattern(folder) else {
            return
        }
        if FileAttributes(at: folder) == nil {
            awaited.insert(Bytewise(pattern))
            let problem = "waits for \(pattern): the folder \(folder) does not exist"
            capture.problems.report("source \(name)", problem, .notice, to: capture.diagnostics)
        } else if awaited.remove(Bytewise(pattern)) != nil {
            capture.problems.clear("source \(name)")
        }
    }

    /// When an earlier process looked for the files of a pattern for the first time, in microseconds since the Unix epoch;
    /// nil when none has: then it is noted that this one does.
    private func firstScan(of source: SourceDefinition) -> Int64? {
        let mark = SourceMark(
            // The source's own name is that of its position, when its path is or was no pattern.
            source.name + " scan",
            store: capture.store.root,
            on: capture.store.fileSystem,
            clock: capture.clock
        )
        if let scan = try? mark.read() {
            return Int64(clamping: scan.number)
        }
        var scan = ReadPosition(source: source.name)
        scan.number = UInt64(clamping: capture.clock.wallMicroseconds())
        _ = try? mark.write(scan)
        return nil
    }

    /// Whether a file was made after that time; false where the file system does not say it.
    private static func wasMade(_ path: String, after time: Int64) -> Bool {
        let (folder, name) = DirectoryHandle.split(path)
        guard let birth = (try? DirectoryHandle(folder))?.birthTime(of: name) else {
            return false
        }
        return birth / 1000 > time
    }

    /// Has the files of patterns that are gone read to their end, and let go.
    private func endRemoved() {
        for (id, source) in followed where source.isMatch && FileAttributes(at: source.path) == nil {
            source.isEnding = true
            ready.insert(id)
        }
    }

    // MARK: - Sources that come and go

    /// Tells the sources that come and go what there is now. One that is gone, or has another file, is read to its end
    /// and closed; so is one whose VM has another name now, where it is.
    private func adoptPresent() {
        let wanted = Dictionary(present.map { (Bytewise($0.name), $0) }) { $1 }
        for (id, source) in followed where source.isTransient {
            let now = wanted[Bytewise(source.definition.name)]
            guard now != source.definition || source.isEnding else {
                continue
            }
            ready.insert(id)
            if let now, now.vm == source.definition.vm, case .console(let files) = now.kind {
                source.definition = now
                source.isEnding = false
                source.run?.update(files)
                if let end = source.end, !files.contains(where: end.isOf) {
                    end.write()
                }
            } else {
                source.isEnding = now != source.definition
            }
        }
    }

    // MARK: - Beginning

    /// Begins a source, unless it is read already; returns false when that failed.
    private func begin(_ source: SourceDefinition, isTransient: Bool = false, isMatch: Bool = false) -> Bool {
        guard watches[Bytewise(source.name)] == nil else {
            return true
        }
        let subject = "source \(source.name)"
        do {
            // Those that come and go are opened when they have a file.
            let run = isTransient ? nil : try begun(source)
            add(Followed(run, source, isTransient: isTransient, isMatch: isMatch, source.paths.last ?? "/"))
            capture.problems.clear(subject)
            return true
        } catch let error as SystemError where error.code == ECANCELED {
            return false
        } catch {
            capture.problems.report(subject, "\(error)", .error, to: capture.diagnostics)
            return false
        }
    }

    /// The reading of a source, begun where it ended before.
    func begun(_ source: SourceDefinition) throws -> any FileRun {
        let run: any FileRun
        switch source.kind {
        case .journal, .forward:
            preconditionFailure("only sources of files are read here")
        case .console:
            run = try ConsoleRun(source, into: capture, buffer: buffer, interruption: interruption)
        case .files(let path, let format, let readsFromHead):
            let input = FileInput(
                path,
                format,
                trustedFolder: source.trustedFolder,
                names: folderNames,
                readsFromHead: readsFromHead,
                rotateWait: source.rotateWait,
                buffer: buffer,
                clock: capture.clock
            )
            run = SourceRun(source, input, pipeline: pipeline, into: capture, interruption: interruption)
        }
        do {
            try run.begin()
        } catch {
            run.close()
            throw error
        }
        return run
    }

    // MARK: - Patterns

    /// The files that match a shell pattern; none when its folder has not changed since the last call. A folder that has
    /// changed a moment ago is looked at again: file systems round the time.
    private func newMatches(of pattern: String) -> [String] {
        let folder = DirectoryHandle.split(pattern).directory
        guard !ShellPattern.isPattern(folder), let modified = FileAttributes(at: folder)?.modified else {
            return Self.matches(of: pattern)
        }
        let key = Bytewise(pattern)
        if folderTimes[key] == modified {
            return []
        }
        let isSettled = capture.clock.wallMicroseconds() - Int64(modified / 1000) > Self.settledAge
        folderTimes[key] = isSettled ? modified : nil
        return Self.matches(of: pattern)
    }

    /// In microseconds.
    private static let settledAge: Int64 = 2_000_000

    /// The files that match a shell pattern, without compressed ones, which are no text, and the rotated ones of another, which
    /// its follower reads.
    private static func matches(of pattern: String) -> [String] {
        var found = glob_t()
        defer { globfree(&found) }
        guard glob(pattern, 0, nil, &found) == 0 else {
            return []
        }
        let paths = (0..<Int(found.gl_pathc)).compactMap { found.gl_pathv[$0].map { String(cString: $0) } }
        let all = Set(paths)
        return paths.filter { !RotatedName.isCompressed($0) }.filter { path in
            // `a.log.1` and `a.log-20261120` belong to `a.log`; `a-worker` beside `a` is a log of its own.
            !path.utf8.indices.contains { index in
                guard [UInt8(ascii: "."), UInt8(ascii: "-")].contains(path.utf8[index]) else {
                    return false
                }
                let live = String(path[..<index])
                return all.contains(live) && RotatedName.isRotated(path, of: live)
            }
        }
    }

    /// The stream of one of several files: a name that resembles the file's, and is its own.
    private static func stream(of path: String, like stream: StreamName) -> StreamName {
        let hash = String(path.stableHash() & 0xffff_ffff, radix: 16)
        return StreamName(String(stream.text.prefix(55)) + "-" + hash) ?? stream
    }
}
