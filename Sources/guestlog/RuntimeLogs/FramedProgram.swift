// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TextFormats

/// A program whose output is framed, each line with its time and stream.
struct FramedProgram: ~Copyable {
    private let child: ChildProgram
    private let output: ReadingEnd
    private let error: ReadingEnd
    private let name: String

    /// Starts the program `words[0]` with the arguments after it.
    static func start(_ words: [String]) throws(SystemError) -> FramedProgram {
        // Closed when this returns: the program and the reading ends have copies.
        let (standard, failures) = (try Pipe(), try Pipe())
        let (output, error) = (try ReadingEnd(standard), try ReadingEnd(failures))
        let copies: [(number: Int32, of: Int32)] = [
            (STDOUT_FILENO, standard.writing), (STDERR_FILENO, failures.writing),
        ]
        let child = try ChildProgram.command(words, .copies(copies))
        return FramedProgram(child: child, output: output, error: error, name: words[0])
    }

    private init(child: consuming ChildProgram, output: ReadingEnd, error: ReadingEnd, name: String) {
        self.child = child
        self.output = output
        self.error = error
        self.name = name
    }

    private final class Pipe {
        let ends: DescriptorPair

        init() throws(SystemError) {
            ends = try Descriptor.pipe()
        }

        var writing: Int32 { ends.second.raw }
    }

    private final class ReadingEnd {
        private let descriptor: Descriptor

        init(_ pipe: Pipe) throws(SystemError) {
            descriptor = try pipe.ends.first.duplicate()
        }

        var raw: Int32 { descriptor.raw }
    }

    /// Writes the entries to `target` until the program has closed its output; returns its exit status.
    consuming func frame(to target: Int32) throws -> Int32 {
        try Self.frame([output, error], of: name, to: target)
        return child.wait()
    }

    private static func frame(_ ends: [ReadingEnd], of name: String, to target: Int32) throws {
        var encoder = IOLogEncoder()
        var sources = ends.map { pollfd($0.raw) }
        var piece = [UInt8](repeating: 0, count: 64 << 10)
        while sources.contains(where: { $0.fd >= 0 }) {
            _ = poll(&sources, nfds_t(sources.count), -1)
            for index in sources.indices where sources[index].fd >= 0 && sources[index].revents != 0 {
                let descriptor = sources[index].fd
                let count = try systemCall("read", name) { read(descriptor, &piece, piece.count) }
                if count == 0 {
                    // poll(2) ignores it from now on.
                    sources[index].fd = -1
                }
                let time = SystemClock.wallNanoseconds()
                try Output.write(encoder.add(piece[..<count], isError: index == 1, time: time), to: target)
            }
        }
        try Output.write(encoder.finish(time: SystemClock.wallNanoseconds()), to: target)
    }
}
