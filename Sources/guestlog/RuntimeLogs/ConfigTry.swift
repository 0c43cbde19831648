// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import GuestlogService
import LogModel
import RuntimeSources
import SystemIO
import TextFormats
import Transforms

extension Config {
    struct Try: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "try",
            abstract: "Show what the pipelines of a configuration file make of lines.",
            discussion: """
                Reads standard input: for a source of type tail lines in its format, for a journal objects in JSON, as \
                'journalctl -o json' prints them. Writes one line per record: an object in JSON, with its tag in \
                GUESTLOG_TAG. What a pipeline drops is not shown.
                """
        )

        @Argument(help: "The configuration file.", completion: .file())
        var file: String

        @Option(help: ArgumentHelp("The source whose records the lines are; by default the first.", valueName: "name"))
        var source: String?

        func run() throws {
            let configuration = try Configuration(file: file)
            let source = try chosen(configuration)
            var pipeline = configuration.pipeline
            let (format, flattens): (RecordFormat, Bool) =
                switch source.kind {
                case .journal: (.json, false)
                case .forward: (.json, true)
                case .console: (.text, false)
                case .files(_, let format, _): (format, true)
                }
            var decoder = RecordDecoder(format, flattens: flattens)
            var out: [UInt8] = []
            var now = Timestamp(microseconds: 0)
            func show(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
                if case .journal = source.kind {
                    record.takeJournalBytes()
                    record.takeJournalTime()
                }
                pipeline.process(&record, tag: source.tag, readAt: now) { record, tag in
                    record.append("GUESTLOG_TAG", tag)
                    record.appendJSON(to: &out)
                    out.append(Lines.feed)
                }
            }
            var piece = [UInt8](repeating: 0, count: 64 << 10)
            var isAtEnd = false
            while !isAtEnd {
                let count = try systemCall("read", "standard input") { read(STDIN_FILENO, &piece, piece.count) }
                isAtEnd = count == 0
                now = presentMoment()
                if isAtEnd {
                    decoder.finish(show)
                } else {
                    piece.withUnsafeBytes {
                        decoder.add(UnsafeRawBufferPointer(rebasing: $0[..<count]), readAt: now, show)
                    }
                }
                try Output.write(out)
                out.removeAll(keepingCapacity: true)
            }
        }

        private func chosen(_ configuration: Configuration) throws -> SourceDefinition {
            guard let source else {
                guard let first = configuration.sources.first else {
                    throw CommandLineError(description: "\(file) has no sources")
                }
                return first
            }
            guard let found = configuration.sources.first(where: { $0.name == source }) else {
                let names = configuration.sources.map(\.name).joined(separator: ", ")
                throw CommandLineError(description: "no source is named \(source); the sources are \(names)")
            }
            return found
        }
    }
}
