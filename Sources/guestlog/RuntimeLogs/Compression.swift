// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// How a file is compressed, by its first bytes (RFC 1952, RFC 8878, xz, bzip2).
enum Compression: String, CaseIterable {
    case gzip, zstd, xz, bzip2

    /// How many first bytes tell it.
    static let headSize = 6

    init?(head: some Collection<UInt8>) {
        guard let found = Self.allCases.first(where: { head.starts(with: $0.magic) }) else {
            return nil
        }
        self = found
    }

    private var magic: [UInt8] {
        switch self {
        case .gzip: [0x1f, 0x8b]
        case .zstd: [0x28, 0xb5, 0x2f, 0xfd]
        case .xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]
        case .bzip2: Array("BZh".utf8)
        }
    }

    /// The program that prints a file's text.
    var printer: String {
        switch self {
        case .gzip: "zcat"
        case .zstd: "zstdcat"
        case .xz: "xzcat"
        case .bzip2: "bzcat"
        }
    }

    /// Whether the program that decompresses has passed on all that was in the file; gzip warns of what follows it with 2.
    func isSuccess(_ status: Int32) -> Bool { status == 0 || self == .gzip && status == 2 }
}

/// The text of a file, which a program decompresses if it is compressed. That of a pipe must not be.
final class DecompressedFile {
    private let file: OpenFile
    private let compression: Compression?
    private var program: ChildProgram?
    private var isAtStart = true

    init(_ file: OpenFile) throws(CommandLineError) {
        var head = [UInt8](repeating: 0, count: Compression.headSize)
        let count = file.identity == nil ? 0 : pread(file.raw, &head, head.count, max(0, lseek(file.raw, 0, SEEK_CUR)))
        compression = Compression(head: head.prefix(max(0, count)))
        guard let compression else {
            self.file = file
            return
        }
        do throws(SystemError) {
            let pipe = try Descriptor.pipe()
            let copies = [(number: STDIN_FILENO, of: file.raw), (number: STDOUT_FILENO, of: pipe.second.raw)]
            program = try ChildProgram([compression.rawValue, "-dc"], .copies(copies))
            self.file = OpenFile(file.path, owning: pipe.takeFirst())
        } catch {
            throw CommandLineError(file: file.path, "is compressed, and cannot be decompressed", error)
        }
    }

    /// The next bytes, at most as many as `buffer` has; empty at the end.
    func read(_ buffer: inout [UInt8]) throws(CommandLineError) -> ArraySlice<UInt8> {
        let bytes = try file.read(&buffer)
        guard let compression else {
            if isAtStart, let found = Compression(head: bytes) {
                throw CommandLineError(
                    description: "\(Terminal.safe(file.path)) is compressed; name the file, or decompress it first: "
                        + "\(found.printer) FILE | guestlog kata-log"
                )
            }
            isAtStart = false
            return bytes
        }
        if bytes.isEmpty, let status = program.take()?.wait(), !compression.isSuccess(status) {
            throw CommandLineError(
                description: "\(Terminal.safe(file.path)) is damaged or incomplete: \(compression.rawValue) ended with "
                    + "\(status)"
            )
        }
        return bytes
    }
}
