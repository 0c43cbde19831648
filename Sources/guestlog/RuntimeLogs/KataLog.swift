// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import LogModel
import SystemIO
import Transforms

struct KataLog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kata-log",
        abstract: "Merge, check and convert logs of Kata Containers.",
        discussion: """
            Reads what the runtimes, the agent and old proxies and shims write: logfmt, JSON, and the agent's records in \
            what a guest printed, also in lines that journalctl prints or a syslog daemon writes. Files are merged by time; each keeps its order. What cannot be parsed is kept in \
            GUESTLOG_UNPARSED and reported on standard error; it ends nothing. Files that gzip, zstd, xz or bzip2 has \
            compressed are decompressed by that program. Exit status 4: with --strict, something \
            was wrong.
            """
    )

    @Argument(help: ArgumentHelp("The files; - or none: standard input.", valueName: "file"), completion: .file())
    var files: [String] = []

    @Option(name: [.customShort("o"), .long], help: "text, ndjson, json, csv, logfmt.")
    var outputFormat = KataLogFormat.text.rawValue

    @Option(help: ArgumentHelp("Write to this file; - or none: standard output.", valueName: "file"))
    var outputFile: String?

    @Flag(help: "Check only; write no records.")
    var checkOnly = false

    @Flag(help: "Fail when something is wrong in a record.")
    var strict = false

    @Flag(help: "Required fields may be absent.")
    var ignoreMissingFields = false

    @Flag(help: "Write counts of levels, sources, subsystems and sandboxes to standard error.")
    var statistics = false

    @Flag(help: "Fail when a file is empty.")
    var errorIfFileEmpty = false

    @Flag(help: "Fail when there is no record.")
    var errorIfNoRecords = false

    @Flag(name: .shortAndLong, help: "Do not report what is wrong in records.")
    var quiet = false

    private static let pieceSize = 256 << 10

    func run() throws {
        guard let format = KataLogFormat(rawValue: outputFormat) else {
            let names = KataLogFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandLineError(description: "unknown format \(Terminal.safe(outputFormat)); use \(names)")
        }
        var options = KataLogOptions(format: format)
        options.now = presentMoment()
        options.allowsMissing = ignoreMissingFields
        options.discardsRecords = checkOnly
        options.checks = checkOnly || strict || statistics || !quiet
        let inputs = try (files.isEmpty ? ["-"] : files).map { try OpenFile(reading: $0) }
        let sources = try inputs.map(source)
        let output = try outputFile.flatMap { $0 == "-" ? nil : try open($0, besides: inputs) }
        let target = output?.raw ?? STDOUT_FILENO
        var merge = KataLogMerge(sources, options)
        var out = checkOnly ? [] : Array(format.head.utf8)
        var problemCount = 0
        var hasMore = true
        while hasMore {
            let result = try merge.write(Self.pieceSize, to: &out)
            hasMore = result.hasMore
            problemCount += result.problems.count
            if !quiet {
                result.problems.forEach { Output.error(Terminal.safe("\($0)"), prefix: "") }
            }
            if !hasMore, !checkOnly {
                out += Array(format.tail.utf8)
            }
            try Output.write(out, to: target)
            out.removeAll(keepingCapacity: true)
        }
        try finish(merge.statistics, problemCount)
    }

    private func finish(_ statistics: KataLogStatistics, _ problems: Int) throws {
        if self.statistics {
            Output.error(Output.table(statistics.rows), prefix: "")
        }
        if errorIfNoRecords, statistics.records == 0 {
            throw CommandLineError(description: "there is no record in these files")
        }
        if strict, problems > 0 {
            throw ExitCode.damageFound
        }
    }

    /// Opens the output, which must not be one of the inputs: opening it empties it.
    private func open(_ path: String, besides inputs: [OpenFile]) throws -> OpenFile {
        if let identity = FileAttributes(at: path)?.identity, inputs.contains(where: { $0.identity == identity }) {
            throw CommandLineError(
                description: "--output-file \(Terminal.safe(path)) is also read; name another file for the output"
            )
        }
        return try OpenFile(writing: path, O_TRUNC, permissions: 0o600)
    }

    private func source(_ file: OpenFile) throws -> KataLogFile {
        if errorIfFileEmpty, file.size == 0 {
            throw CommandLineError(description: "\(Terminal.safe(file.path)) is empty")
        }
        let text = try DecompressedFile(file)
        return KataLogFile(file.path) {
            var piece = [UInt8](repeating: 0, count: Self.pieceSize)
            let bytes = try text.read(&piece)
            return bytes.isEmpty ? nil : Array(bytes)
        }
    }
}
