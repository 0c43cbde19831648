// SPDX-License-Identifier: Apache-2.0

public import Capture
import Glibc
import LogModel
import SystemIO
public import Transforms

// RuntimeSources: records that programs beside the VMs write, into the VMs' streams: journals, files, imports.
//
//     SourceService       all sources of a daemon, a thread each                begin here
//     SourceRun           one source: reads, commits, keeps its position
//     SourceInput         what a source reads from: JournalInput, ImportInput
//     RecordRouter        records through the pipeline to the streams of their VMs
//     CommitCounter, SourceMark, SourcePosition    exactly once, whenever the process ends
//     Journal/            libsystemd, loaded at run time

/// The sources of a daemon: each is read by a thread of its own.
public final class SourceService: Sendable {
    private let capture: CaptureService
    private let interruption: Interruption
    private let threads: [WorkerThread]

    /// How long a source that cannot be read waits before the next attempt, in microseconds.
    private static let delays = Backoff(first: 500_000, doublingLimit: 30_000_000, longest: 60_000_000)

    /// Starts the sources. One that cannot be read is reported, and tried again.
    public init(_ sources: [SourceDefinition], pipeline: Pipeline, into capture: CaptureService) throws {
        self.capture = capture
        let interruption = try Interruption()
        self.interruption = interruption
        threads = try sources.enumerated().map { number, source in
            try WorkerThread(name: "source-\(number)") {
                Self.run(source, pipeline, capture, interruption)
            }
        }
    }

    private static func run(
        _ source: SourceDefinition,
        _ pipeline: Pipeline,
        _ capture: CaptureService,
        _ interruption: Interruption
    ) {
        var delays = Self.delays
        let subject = "source \(source.name)"
        while !interruption.isRaised() {
            do {
                let input = try input(of: source)
                let run = SourceRun(source, input, pipeline: pipeline, into: capture, interruption: interruption)
                try run.run()
                return
            } catch let error as SystemError where error.code == ECANCELED {
                return
            } catch {
                capture.problems.raise(subject, "\(error)")
                capture.diagnostics.log(.error, "\(subject): \(error)")
            }
            _ = interruption.isRaised(within: delays.next())
        }
    }

    private static func input(of source: SourceDefinition) throws -> any SourceInput {
        switch source.kind {
        case .journal(let options):
            let library = try JournalLibrary()
            return JournalInput(follows: true) { cursor throws(SystemError) in
                try JournalReader(options, after: cursor, library: library)
            }
        case .files(let path, let format, _):
            return try ImportInput(path, format)
        }
    }

    /// Ends the sources, and waits for their threads.
    public func stop() {
        interruption.raise()
        threads.forEach { $0.join() }
    }
}
