// SPDX-License-Identifier: Apache-2.0

import CLinux
import Capture
import Glibc
import LogModel
import RotatingFile
import SystemIO

/// The open logs, and the operations on them.
///
/// Lives on one loop's thread, which may block on a file system; guests' output does not pass it, but goes from the
/// shards to the store's writer. Results are delivered by a callback on the same thread, because output written before
/// must be in its file first.
public final class LogManager: @unchecked Sendable {
    // Sendable because all but the lets is accessed on the loop's thread alone.

    /// The write end of a pipe, to be sent to a client.
    final class WriteEnd: Sendable {
        let descriptor: Descriptor

        init(_ descriptor: consuming Descriptor) {
            self.descriptor = descriptor
        }
    }

    /// An opened log: the end of its file, and the pipe to write to.
    struct Opened: Sendable {
        var position: LogPosition
        var end: WriteEnd
    }

    typealias Completion<Value> = (Result<Value, LogManagerError>) -> Void

    /// The loop of this class.
    let loop: EventLoop
    let capture: CaptureService
    let options: Options
    var logs: [LogPath: LogPipe] = [:]
    var ending = EndingLogs()
    var names = LogNames()
    /// The starts of the VMs with open logs, by their UUIDs.
    private var starts: [String: MachineStart] = [:]
    /// Called when a log was opened or has ended.
    var onChange: () -> Void = {}
    /// Called for each opened log, so that its descriptor is stored in case this process dies.
    public var onOpen: (InheritedLog) -> Void = { _ in }
    /// Called with the path of each ended log.
    public var onEnd: (String) -> Void = { _ in }

    /// The size of a log's pipe, in bytes, where the user's limit for pipes allows it.
    private static let pipeSize: Int32 = 1 << 20

    public init(_ options: Options, capture: CaptureService, loop: EventLoop) {
        self.options = options
        self.capture = capture
        self.loop = loop
    }

    var openCount: Int { logs.count }

    // MARK: - Calls

    func open(_ owner: LogOwner, _ text: String, truncate: Bool, _ completion: @escaping Completion<Opened>) {
        withPath(text, completion) { [self] path in
            afterCommit(of: path) { [self] in
                completion(
                    Result { () throws(LogManagerError) in
                        try checkNotOpen(path)
                        if truncate {
                            try removeFiles(path)
                        }
                        let position = try makeFile(path)
                        logCut(owner)
                        return Opened(position: position, end: try begin(owner, path))
                    }
                )
            }
        }
    }

    func position(_ text: String, _ completion: @escaping Completion<LogPosition>) {
        withPath(text, completion) { [self] path in
            guard logs[path] != nil else {
                return completion(.failure(.internal("No open log file \(text)")))
            }
            afterCommit(of: path) { [self] in
                completion(Result { () throws(LogManagerError) in try position(of: path) })
            }
        }
    }

    func read(_ text: String, from start: LogPosition, maximum: Int, _ completion: @escaping Completion<[UInt8]>) {
        withPath(text, completion) { [self] path in
            afterCommit(of: path) { [limits = options.limits] in
                completion(
                    Result { () throws(LogManagerError) in
                        let files = RotatedFiles(
                            path: path.text,
                            trustedFolder: path.allowedFolder,
                            backups: limits.backups
                        )
                        do throws(SystemError) {
                            return try files.read(from: start.offset, of: start.inode, maximum: maximum)
                        } catch {
                            throw .system("Unable to read \(error.subject)", error.code)
                        }
                    }
                )
            }
        }
    }

    func append(_ owner: LogOwner, _ text: String, _ message: [UInt8], _ completion: @escaping Completion<Void>) {
        withPath(text, completion) { [self] path in
            guard logs[path] == nil else {
                return afterCommit(of: path, adding: message) { completion(.success(())) }
            }
            afterCommit(of: path) { [self] in
                do throws(LogManagerError) {
                    try appendMessage(message, owner, path)
                } catch {
                    return completion(.failure(error))
                }
                afterCommit(of: path) { completion(.success(())) }
            }
        }
    }

    /// Appends a message of libvirtd's own to a log that is not open.
    private func appendMessage(_ message: [UInt8], _ owner: LogOwner, _ path: LogPath) throws(LogManagerError) {
        _ = try makeFile(path)
        let key = key(of: path, owner)
        forgetIfUnused(owner)
        let shard = capture.shard(of: key.vm)
        defer { ends(path, key, on: shard) }
        let refusal = shard.loop.perform { [capture, options = streamOptions(path, key)] in
            do throws(CaptureService.OpenError) {
                let intake = try capture.open(key, options: options, on: shard)
                message.withUnsafeBytes { intake.put($0) }
                intake.close()
                return LogManagerError?.none
            } catch {
                return .internal("\(error)")
            }
        }
        if let refusal {
            throw refusal
        }
    }

    private func logCut(_ owner: LogOwner) {
        if owner.shortName != owner.name {
            let reason = "its name is longer than \(StreamKey.maximumName) bytes"
            capture.diagnostics.log(.notice, "the domain \(owner.uuid) is stored as \(owner.shortName): \(reason)")
        }
    }

    // MARK: - Steps

    /// Runs `body` with the parsed path, or answers with the error.
    private func withPath<Value>(_ text: String, _ completion: Completion<Value>, _ body: (LogPath) -> Void) {
        do throws(LogManagerError) {
            body(try LogPath(text, below: options.allowed, setting: options.allowedSetting))
        } catch {
            completion(.failure(error))
        }
    }

    /// A file has one writer: EBUSY when a log is open at this path, or at another path to the same file.
    private func checkNotOpen(_ path: LogPath) throws(LogManagerError) {
        let file = path.attributes?.identity
        guard logs[path] == nil, file == nil || !logs.keys.contains(where: { $0.attributes?.identity == file }) else {
            throw .system("Cannot open log file: '\(path.text)'", EBUSY)
        }
    }

    private func directory(of path: LogPath) throws(LogManagerError) -> DirectoryHandle {
        do throws(SystemError) {
            return try path.directory()
        } catch {
            throw path.refusal(error)
        }
    }

    private func removeFiles(_ path: LogPath) throws(LogManagerError) {
        let directory = try directory(of: path)
        for name in [path.name] + (0..<options.limits.backups).map({ "\(path.name).\($0)" }) {
            do throws(SystemError) {
                try directory.remove(name)
            } catch  where error.code != ENOENT {
                throw .system("Unable to delete file \(error.subject)", error.code)
            } catch {}
        }
    }

    /// Creates the file when it is absent; returns its end.
    private func makeFile(_ path: LogPath) throws(LogManagerError) -> LogPosition {
        let directory = try directory(of: path)
        do throws(SystemError) {
            let file = try directory.openRegular(path.name, O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
            return LogPosition(try FileAttributes(of: file.raw, path.text))
        } catch {
            throw path.refusal(error)
        }
    }

    private func position(of path: LogPath) throws(LogManagerError) -> LogPosition {
        guard let status = path.attributes else {
            throw .system("Unable to determine current file inode: \(path.text)", ENOENT)
        }
        return LogPosition(status)
    }

    private func begin(_ owner: LogOwner, _ path: LogPath) throws(LogManagerError) -> WriteEnd {
        var ends: [Int32] = [-1, -1]
        guard gl_pipe(&ends, O_CLOEXEC) == 0 else {
            throw .system("Cannot open log file: '\(path.text)'", errno)
        }
        _ = gl_set_pipe_size(ends[0], Self.pipeSize)
        let end = WriteEnd(Descriptor(owning: ends[1]))
        try add(Descriptor(owning: ends[0]), owner, path, .new)
        return end
    }

    /// Begins to drain a pipe.
    func add(
        _ descriptor: consuming Descriptor,
        _ owner: LogOwner,
        _ path: LogPath,
        _ origin: LogPipe.Origin
    ) throws(LogManagerError) {
        // The flag belongs to the read end: the writer's end blocks, as QEMU expects of a file.
        try? descriptor.setNonBlocking()
        let raw = descriptor.raw
        let key = key(of: path, owner)
        let shard = capture.shard(of: key.vm)
        let start = starts[owner.uuid] ?? MachineStart()
        starts[owner.uuid] = start
        let log = LogPipe(descriptor, of: owner, key: key, shard: shard, start: start) { [weak self, loop] in
            loop.post { [weak self] in self?.ended(path) }
        }
        let refusal = shard.loop.perform { [capture, options = streamOptions(path, key)] in
            do throws(LogManagerError) {
                try log.begin(options, in: capture, origin)
                return LogManagerError?.none
            } catch {
                return error
            }
        }
        if let refusal {
            forgetIfUnused(owner)
            throw refusal
        }
        logs[path] = log
        onOpen(InheritedLog(owner: owner, path: path.text, stream: key.stream, descriptor: raw))
        onChange()
    }

    private func streamOptions(_ path: LogPath, _ key: StreamKey) -> StreamOptions {
        let file = StreamOptions.PlainFile(
            path: path.text,
            trustedFolder: path.allowedFolder,
            limits: options.limits
        )
        return StreamOptions(rate: options.rate, plainFile: file, isConsole: LogNames.isConsole(key.stream))
    }

    func key(of path: LogPath, _ owner: LogOwner) -> StreamKey {
        let inUse = logs.values.filter { $0.owner.uuid == owner.uuid }.map(\.key.stream)
        let stream = names.stream(of: path.text, owner, besides: inUse)
        return StreamKey(name: owner.shortName, uuid: owner.uuid, stream: stream)
    }

    /// A log has no writer any more.
    private func ended(_ path: LogPath) {
        guard let log = logs.removeValue(forKey: path) else {
            return
        }
        ends(path, log.key, on: log.shard)
        forgetIfUnused(log.owner)
        onEnd(path.text)
        onChange()
    }

    private func forgetIfUnused(_ owner: LogOwner) {
        if !logs.values.contains(where: { $0.owner.uuid == owner.uuid }) {
            names.forget(owner.uuid)
            starts[owner.uuid] = nil
        }
    }
}
