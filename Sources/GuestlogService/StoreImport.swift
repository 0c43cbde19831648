// SPDX-License-Identifier: Apache-2.0

import Capture
public import RuntimeSources
import SystemIO

/// Writes records of files into the store, without a daemon or beside it.
public final class StoreImport {
    private let capture: CaptureService
    private let runtime: RunFolder
    private let configuration: Configuration

    /// Opens the store. Throws when it cannot be written.
    public init(_ configuration: Configuration) throws {
        self.configuration = configuration
        runtime = RunFolder(in: configuration.runtime)
        var options = configuration.captureOptions(inflight: runtime.inflight)
        options.abandoned = RunFolder.abandoned(in: configuration.runtime)
        options.shards = 1
        capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .warning))
        try capture.start()
        try capture.awaitStore()
    }

    /// Imports what `origin` names; returns what it has found when all is committed. `onProgress` gets that
    /// number meanwhile.
    public func run(
        _ origin: Import.Origin,
        as source: SourceDefinition,
        onProgress: @escaping (Int) -> Void
    ) throws -> Import.Outcome {
        try Import.run(origin, as: source, pipeline: configuration.pipeline, into: capture, onProgress: onProgress)
    }

    /// Closes the store.
    public func stop() {
        capture.stop()
        runtime.remove()
    }
}
