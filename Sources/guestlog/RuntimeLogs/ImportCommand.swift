// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import GuestlogService
import LogModel
import RuntimeSources
import SystemIO
import TextFormats
import Transforms

struct ImportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Read log files into the store.",
        discussion: """
            Formats: journal (a journal's file or folder, or what journalctl -o export or -o json has written), \
            \(RecordFormat.allCases.map(\.rawValue).joined(separator: ", ")) (none: lines of text). A record with a sandbox is stored under the VM of that name. An interrupted import continues where it ended, \
            and importing a file again adds only what is new in it. The configuration's pipelines apply to records \
            with the tag.
            """
    )

    @Argument(help: ArgumentHelp("The files.", valueName: "file"), completion: .file())
    var files: [String]

    @Option(name: .shortAndLong, help: "The format.")
    var format: String

    @Option(help: ArgumentHelp("The VM of records that name none; required.", valueName: "name"))
    var vm: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The stream.", valueName: "stream"))
    var stream = "import"

    @Option(help: ArgumentHelp("The tag by which pipelines select the records.", valueName: "tag"))
    var tag = "import"

    @Option(
        help: ArgumentHelp("A field that names a record's VM; several: the first that there is.", valueName: "field")
    )
    var vmField: [String] = []

    @OptionGroup var paths: PathOptions

    func run() async throws {
        let origins = try files.map(origin)
        if let fault = VMIdentity.fault(inName: vm) {
            throw CommandLineError(description: "--vm: '\(Terminal.safe(vm))' is not a VM's name: use \(fault)")
        }
        guard let stream = StreamName(stream) else {
            throw CommandLineError(
                description:
                    "--stream: '\(Terminal.safe(stream))' is not a stream name: use \(StreamName.rule)"
            )
        }
        let configuration = try await paths.writerConfiguration()
        let importing = try StoreImport(configuration)
        defer { importing.stop() }
        var progress = ProgressLine()
        var total = 0
        for (file, origin) in zip(files, origins) {
            let path = try Self.absolute(file)
            var source = SourceDefinition(
                // Another VM, stream or format is another import.
                name: "import \(format) \(vm)/\(stream) \(path)",
                kind: .files(path: path, .text, readsFromHead: true),
                tag: tag,
                vm: VMIdentity(name: vm),
                stream: stream
            )
            if !vmField.isEmpty {
                source.vmFields = vmField.map { Array($0.utf8) }
            }
            let found = try importing.run(origin, as: source) { count in
                progress.show("\(Terminal.safe(file)): \(count) records")
            }
            if found.records == 0 {
                progress.clear()
                let target = "\(Terminal.safe(vm))/\(stream)"
                Output.error(
                    found.isContinued
                        ? "\(Terminal.safe(file)): no record was imported: \(target) has all that the file has"
                        : "\(Terminal.safe(file)): no record was imported: it has none; is --format \(format) right?"
                )
            }
            total += found.records
        }
        progress.clear()
        try Output.write("\(total) records imported\n")
    }

    private func origin(_ file: String) throws -> Import.Origin {
        if format == "journal" {
            return try journal(file)
        }
        guard let format = RecordFormat(rawValue: format) else {
            let names = RecordFormat.allCases.map(\.rawValue).joined(separator: ", ")
            throw CommandLineError(description: "unknown format \(Terminal.safe(format)); use journal, \(names)")
        }
        let path = try Self.absolute(file)
        try Self.checkRegular(path, file)
        try Self.checkDecompressed(Self.head(of: path), file)
        return .file(path, format)
    }

    /// A journal, in one of the forms that systemd's programs write.
    private func journal(_ file: String) throws -> Import.Origin {
        var options = JournalOptions()
        options.paths = [file]
        guard let attributes = try? FileAttributes(following: file), attributes.kind == .regular else {
            return .journal(options)
        }
        let head = try Self.head(of: file)
        try Self.checkDecompressed(head, file)
        if head.first == UInt8(ascii: "{") {
            return .file(try Self.absolute(file), .json)
        }
        // A journal file's signature, and the first field of an entry in the export format.
        guard ["LPKSHHRH", "__CURSOR"].contains(where: { head.elementsEqual($0.utf8) }) else {
            throw CommandLineError(
                description:
                    "\(Terminal.safe(file)) is not a journal: name a journal's file or folder, or a file that journalctl "
                    + "-o export or -o json has written; lines that journalctl prints are --format syslog"
            )
        }
        return .journal(options)
    }

    /// The first bytes of a file.
    private static func head(of path: String) throws(CommandLineError) -> ArraySlice<UInt8> {
        let file = try OpenFile(reading: path)
        var buffer = [UInt8](repeating: 0, count: 8)
        return try file.read(&buffer)
    }

    /// Throws for a compressed file: positions in the file are not positions in its text.
    private static func checkDecompressed(_ head: ArraySlice<UInt8>, _ file: String) throws(CommandLineError) {
        if let compression = Compression(head: head) {
            throw CommandLineError(
                description:
                    "\(Terminal.safe(file)) is compressed; decompress it first: \(compression.printer) FILE >NEW"
            )
        }
    }

    /// The file's path without links: the same file has one position, however it is named.
    private static func absolute(_ path: String) throws -> String {
        guard let resolved = realpath(path, nil) else {
            throw CommandLineError(file: path, "cannot be opened", SystemError("open", path))
        }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Throws for what cannot be read again, such as a pipe.
    private static func checkRegular(_ path: String, _ file: String) throws {
        let kind = try FileAttributes(following: path).kind
        guard kind == .regular else {
            throw CommandLineError(
                description:
                    "\(Terminal.safe(file)) is \(kind): import reads regular files only, which it can read again; "
                    + "write the text to a file first"
            )
        }
    }
}
