// SPDX-License-Identifier: Apache-2.0

public import Capture
import Glibc
import LogModel
import SystemIO
public import Transforms

/// The sources of a daemon: each journal and each receiver has a thread of its own, all files one.
public final class SourceService: Sendable {
    private let capture: CaptureService
    private let interruption: Interruption
    private let threads: [WorkerThread]
    private let updates: SourceUpdates

    /// How long a source that cannot be read waits before the next attempt, in microseconds.
    private static let delays = Backoff(first: 500_000, doublingLimit: 30_000_000, longest: 60_000_000)

    /// Starts the sources. One that cannot be read is reported, and tried again. `followsFiles` says whether files will
    /// be given to `setFiles`.
    public convenience init(
        _ sources: [SourceDefinition],
        pipeline: Pipeline,
        into capture: CaptureService,
        followsFiles: Bool = false
    ) throws {
        try self.init(sources, pipeline, capture, followsFiles: followsFiles, openLimit: FileSources.openLimit)
    }

    init(
        _ sources: [SourceDefinition],
        _ pipeline: Pipeline,
        _ capture: CaptureService,
        followsFiles: Bool,
        openLimit: Int
    ) throws {
        self.capture = capture
        let updates = try SourceUpdates()
        self.updates = updates
        let interruption = try Interruption()
        self.interruption = interruption
        let files = sources.filter { if case .files = $0.kind { true } else { false } }
        var threads = try sources.filter { !files.contains($0) }.enumerated().map { number, source in
            try WorkerThread(name: "source-\(number)") {
                Self.run(source, pipeline, capture, interruption)
            }
        }
        if !files.isEmpty || followsFiles {
            threads.append(
                try WorkerThread(name: "source-files") {
                    FileSources(files, pipeline, capture, interruption, updates, openLimit: openLimit).run()
                }
            )
        }
        self.threads = threads
    }

    private static func run(
        _ source: SourceDefinition,
        _ pipeline: Pipeline,
        _ capture: CaptureService,
        _ interruption: Interruption
    ) {
        retry("source \(source.name)", capture, wait: interruption.isRaised(within:)) {
            if case .forward(let options) = source.kind {
                let receiver = try ForwardReceiver(
                    source,
                    options,
                    pipeline: pipeline,
                    into: capture,
                    interruption: interruption
                )
                return try receiver.run()
            }
            guard let input = input(of: source, capture.diagnostics) else {
                return
            }
            let run = SourceRun(source, input, pipeline: pipeline, into: capture, interruption: interruption)
            try run.run()
        }
    }

    /// Repeats `attempt` while it fails, and reports the reason as the problem of `subject`. Before each attempt `wait`
    /// is called with a delay in microseconds, the first one 0; it returns true when the source is to end.
    static func retry(
        _ subject: String,
        _ capture: CaptureService,
        wait: (Int64) -> Bool,
        _ attempt: () throws -> Void
    ) {
        var delays = Self.delays
        var delay: Int64 = 0
        while !wait(delay) {
            let start = capture.clock.monotonicMicroseconds()
            do {
                return try attempt()
            } catch let error as SystemError where error.code == ECANCELED {
                return
            } catch {
                capture.problems.report(subject, "\(error)", .error, to: capture.diagnostics)
            }
            // What had worked for a long time may work again soon.
            if capture.clock.monotonicMicroseconds() - start >= delays.longest {
                delays = Self.delays
            }
            delay = delays.next()
        }
    }

    /// The journal of a source; nil when it is of another kind.
    private static func input(of source: SourceDefinition, _ diagnostics: Diagnostics) -> JournalInput? {
        guard case .journal(let options) = source.kind else {
            return nil
        }
        let warn: (String) -> Void = { diagnostics.log(.warning, "source \(source.name): \($0)") }
        return JournalInput(follows: true, warn: warn) { cursor throws(SystemError) in
            try JournalAccess.open(options, after: cursor, warn: warn)
        }
    }

    /// Sets the sources of files that come and go, in place of those set before: new ones are begun, and those that are
    /// not among them any more are read to their end and closed. From any thread; reading may begin later.
    public func setFiles(_ sources: [SourceDefinition]) {
        updates.set(sources)
    }

    /// Ends the sources, and waits for their threads.
    public func stop() {
        interruption.raise()
        threads.forEach { $0.join() }
    }
}
