// SPDX-License-Identifier: Apache-2.0

public import Capture
import SystemIO
public import Transforms

/// Reads files into the store once.
public enum Import {
    /// What is imported, and from where.
    public enum Origin: Sendable {
        case file(String, RecordFormat)
        /// A journal, or a file in the Journal Export Format.
        case journal(JournalOptions)
    }

    /// What an import has found.
    public struct Outcome: Sendable {
        /// The number of records.
        public var records: Int
        /// Whether it has continued an earlier import.
        public var isContinued: Bool
    }

    /// Imports the records of `origin` as the source `source` defines. After an interrupted import, another one continues
    /// where it ended.
    public static func run(
        _ origin: Origin,
        as source: SourceDefinition,
        pipeline: Pipeline,
        into capture: CaptureService,
        onProgress: @escaping (Int) -> Void
    ) throws -> Outcome {
        let input: any SourceInput
        switch origin {
        case .file(let path, let format): input = try ImportInput(path, format, clock: capture.clock)
        case .journal(let options):
            let warn: (String) -> Void = { capture.diagnostics.log(.warning, $0) }
            let export = options.paths.first { JournalExportFile.isExport($0) }
            input = JournalInput(follows: false, warn: warn) { cursor throws(SystemError) in
                if let export {
                    return try JournalExportFile(export, after: cursor)
                }
                return try JournalAccess.open(options, after: cursor, warn: warn)
            }
        }
        let run = SourceRun(source, input, pipeline: pipeline, into: capture, interruption: try Interruption())
        run.onProgress = onProgress
        try run.run()
        return Outcome(records: run.recordCount, isContinued: run.isContinued)
    }
}
