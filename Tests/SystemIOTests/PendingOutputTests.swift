// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestTraits
import Testing

@Suite(.blocking) struct PendingOutputTests {
    private static let bytes = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 / 7) }

    /// Reads what `descriptor` has.
    private func received(from descriptor: Int32) -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
            all += buffer[..<count]
        }
        return all
    }

    @Test("what a socket or a pipe does not accept at once is written later, each byte once and in order")
    func partialWrites() throws {
        for isSocket in [true, false] {
            let ends: DescriptorPair
            if isSocket {
                ends = try Descriptor.socketPair()
            } else {
                ends = try Descriptor.pipe()
            }
            let (reader, writer) = (ends.first.raw, ends.second.raw)
            try ends.first.setNonBlocking()
            try ends.second.setNonBlocking()
            var output = PendingOutput()
            #expect(output.isEmpty && output.interest == .readable)
            output.append(Self.bytes.prefix(1000))
            output.append(Self.bytes.dropFirst(1000))
            var all: [UInt8] = []
            var works = output.write(to: writer)
            #expect(!output.isEmpty && output.interest == [.readable, .writable])
            while !output.isEmpty {
                all += received(from: reader)
                works = output.write(to: writer) && works
            }
            all += received(from: reader)
            #expect(works && all == Self.bytes)
            withExtendedLifetime(ends) {}
        }
    }

    @Test("a failure is returned, and the bytes are kept for another descriptor")
    func failure() throws {
        let ends = try Descriptor.socketPair()
        shutdown(ends.second.raw, Int32(SHUT_WR))
        var output = PendingOutput()
        output.append(Self.bytes.prefix(10))
        var works = output.write(to: ends.second.raw)
        #expect(!works && output.count == 10)
        let full = Descriptor(owning: open("/dev/full", O_WRONLY))
        works = output.write(to: full.raw)
        #expect(!works && output.count == 10)
        let pipe = try Descriptor.pipe(flags: O_CLOEXEC | O_NONBLOCK)
        works = output.write(to: pipe.second.raw)
        #expect(works && output.isEmpty)
        #expect(received(from: pipe.first.raw) == Array(Self.bytes.prefix(10)))
    }
}
