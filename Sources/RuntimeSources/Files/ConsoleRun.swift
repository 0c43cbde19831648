// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import RotatingFile
import SystemIO

/// Reads the text of one console from files that another program writes and rotates, into the console's stream, with
/// the markers of its boots. The position is committed with the text: after any end of the process, no byte is stored
/// twice.
final class ConsoleRun: FileRun {
    private let source: SourceDefinition
    private let capture: CaptureService
    private let buffer: FollowBuffer
    private let intake: RecordIntake
    private var console: ReplayableConsole
    private var order = ConsoleFileOrder()
    private var follower: RotatingFileFollower?
    private var position = ReadPosition(source: "")
    /// Where the last of the files was read to its end before all were gone.
    private let endMark: SourceMark
    private(set) var readSize = 0
    /// When text was read last, in monotonic microseconds.
    private var lastText: Int64 = 0
    private var isFailing = false

    private static let turnSize = 256 << 10
    /// How long a file that cannot be read is left alone, in microseconds.
    private static let retryInterval: Int64 = 10_000_000

    /// Claims the stream. Throws when it is captured otherwise. Calls that wait for the store throw ECANCELED when
    /// `interruption` is raised.
    init(
        _ source: SourceDefinition,
        into capture: CaptureService,
        buffer: FollowBuffer,
        interruption: Interruption
    ) throws {
        self.source = source
        self.capture = capture
        self.buffer = buffer
        let key = StreamKey(vm: source.vm, stream: source.stream)
        intake = try capture.openRecords(key, options: .console, interruption: interruption)
        console = ReplayableConsole(intake)
        endMark = SourceMark(
            "end of " + source.name,
            store: capture.store.root,
            on: capture.store.fileSystem,
            clock: capture.clock
        )
    }

    private var files: [ConsoleFile] {
        guard case .console(let files) = source.kind else {
            return []
        }
        return files
    }

    var path: String? { order.current?.path }

    private func position(in file: ConsoleFile) -> ReadPosition {
        ReadPosition(source: file.positionName)
    }

    func begin() throws {
        let saved = try intake.resumePosition().flatMap { ReadPosition($0) }
        let isKnown = order.begin(files) { saved?.isOf($0.positionName) == true }
        guard let saved, isKnown else {
            if let saved, (try? endMark.read()) != saved {
                noteLoss(bytes: nil, "the file that was read last is gone")
            }
            return beginFile()
        }
        // That of an earlier file is not asked for any more, and this one's is written anew when it goes.
        endMark.remove()
        // Of a file that was begun, and has no text yet, the markers are stored.
        open(at: FollowPosition(text: saved.resume).map { .position($0) } ?? .oldest)
        position.resume = saved.resume
    }

    private func noteLoss(bytes: UInt64?, _ reason: String) {
        let now = capture.clock.now
        intake.add(GapDetail(reason: .sourceRemoved, bytes: bytes, lines: 0, since: now, isClosed: true))
        capture.diagnostics.log(.warning, "\(subject.text): text is lost: \(reason)")
    }

    func update(_ files: [ConsoleFile]) {
        order.update(files)
    }

    /// Begins the current file with its first byte.
    private func beginFile() {
        guard let file = order.current else {
            return
        }
        let now = capture.clock.now
        if file.beginsBoot {
            console.note(.powerOn, time: now)
        }
        console.continued(by: file.origin, time: now, position: position(in: file).bytes)
        open(at: .oldest)
    }

    private func open(at start: RotatingFileFollower.Start) {
        guard let file = order.current else {
            return
        }
        position = position(in: file)
        follower = RotatingFileFollower(file.path, trustedFolder: file.trustedFolder, start: start)
    }

    func step() throws -> ReadResult {
        readSize = 0
        if follower == nil, order.next() {
            beginFile()
        }
        while let follower {
            let files = follower.fileCount
            switch follower.next(buffer) {
            case .bytes(let bytes):
                if !bytes.isEmpty {
                    try store(bytes, of: follower)
                }
                // To open a file is work, too, and a guest may have made many small ones.
                guard readSize < Self.turnSize, follower.fileCount == files else {
                    return .more
                }
            case .gap(let gap):
                noteLoss(bytes: gap.bytes, "\(gap.reason)")
                return .more
            case .idle(let idle):
                if order.next() {
                    beginFile()
                    continue
                }
                if order.isComplete {
                    return .end
                }
                endTurn(idle)
                return .idle
            }
        }
        return order.isComplete ? .end : .idle
    }

    /// Text is stored as it comes. The next run of this console is told that nothing of these files is missing.
    func finishInput() {
        end?.write()
    }

    var end: ConsoleEnd? {
        follower == nil || isFailing ? nil : ConsoleEnd(mark: endMark, position: position)
    }

    private func store(_ bytes: UnsafeRawBufferPointer, of follower: RotatingFileFollower) throws {
        position.resume = follower.position.map { Array($0.text.utf8) } ?? []
        let time = capture.clock.now
        try console.append(bytes, time: time, position: position.bytes)
        readSize += bytes.count
        lastText = capture.clock.monotonicMicroseconds()
    }

    private func endTurn(_ idle: FollowIdle) {
        if console.awaitsQuiet, capture.clock.monotonicMicroseconds() - lastText >= ReplayableConsole.quietTime {
            console.quiet()
        }
        guard case .failing(let error) = idle else {
            isFailing = false
            capture.problems.clear(subject)
            return
        }
        isFailing = true
        capture.problems.report(subject, "\(error)", .error, to: capture.diagnostics)
    }

    private var subject: Problems.Subject { Problems.Subject(StreamKey(vm: source.vm, stream: source.stream)) }

    var restTime: Int64? {
        isFailing ? Self.retryInterval : console.awaitsQuiet ? ReplayableConsole.quietTime : nil
    }

    func close() {
        capture.problems.clear(subject)
        intake.close()
    }
}
