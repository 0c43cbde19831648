// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct KeptDescriptorsTests {
    @Test("a stored pipe is drained when it is half full, not before; a socket at once")
    func drainsPipesLate() throws {
        let folder = TemporaryFolder()
        let kept = KeptDescriptors(discardedPath: folder.path + "/discarded")
        var ends: [Int32] = [-1, -1]
        #expect(gl_pipe(&ends, O_NONBLOCK | O_CLOEXEC) == 0)
        let reader = Descriptor(owning: ends[0])
        let writer = Descriptor(owning: ends[1])
        let sockets = try Descriptor.socketPair()
        try kept.keep("pipe", try reader.duplicate())
        try kept.keep("socket", try sockets.second.duplicate())
        try kept.beginDraining()

        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 4095) + [UInt8(ascii: "\n")]
        #expect(write(writer.raw, line, line.count) == line.count)
        #expect(write(sockets.first.raw, line, line.count) == line.count)
        kept.drain()
        #expect(gl_bytes_waiting(reader.raw) == Int32(line.count))
        #expect(gl_bytes_waiting(sockets.second.raw) == 0)
        // A pipe that is not read is not reported repeatedly.
        var request = pollfd(fd: kept.readyDescriptor, events: Int16(POLLIN), revents: 0)
        #expect(poll(&request, 1, 0) == 0)

        let size = Int(gl_pipe_size(reader.raw))
        for _ in 1..<(size / line.count) {
            #expect(write(writer.raw, line, line.count) == line.count)
        }
        kept.drain()
        #expect(gl_bytes_waiting(reader.raw) == 0)
        try kept.endDraining()
        let discarded = DiscardedOutput.table(at: folder.path + "/discarded")
        #expect(discarded["pipe"]?.bytes == size && discarded["pipe"]?.lines == size / line.count)
        #expect(discarded["socket"]?.bytes == line.count && discarded["socket"]?.lines == 1)
    }
    @Test("descriptors are refused whose names a child could not be passed, until others are removed")
    func namesTooLong() throws {
        let kept = KeptDescriptors(discardedPath: "/nowhere")
        let socket = try Descriptor.socketPair().takeFirst()
        /// Another open file.
        func open() -> Descriptor { Descriptor(owning: Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)) }
        let long = String(repeating: "n", count: KeptDescriptors.namesLimit - 3)
        try kept.keep(long, open())
        try kept.keep("x", try socket.duplicate())
        #expect(throws: SystemError.self) { try kept.keep("y", open()) }
        // The same open file: its name is replaced.
        #expect(throws: SystemError.self) { try kept.keep("xy", try socket.duplicate()) }
        try kept.keep("z", try socket.duplicate())
        #expect(kept.descriptors.map(\.name) == [long, "z"])
        kept.remove(long)
        try kept.keep("xy", try socket.duplicate())
        #expect(kept.descriptors.map(\.name) == ["xy"])
    }
}
