// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import GuestChannel

@Suite(.blocking) struct FrameTests {
    private func frame(_ payload: [UInt8]) -> [UInt8] {
        var out: [UInt8] = []
        GuestFrame.append(payload, to: &out)
        return out
    }

    private func payloads(_ bytes: [UInt8], pieces: Int, resynchronizes: Bool = false) throws -> [[UInt8]] {
        var decoder = FrameDecoder(resynchronizes: resynchronizes)
        var payloads: [[UInt8]] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { decoder.append($0) }
            rest = rest.dropFirst(pieces)
            while let payload = try decoder.next() {
                payloads.append(payload)
            }
        }
        return payloads
    }

    @Test("frames arrive in pieces of any size", arguments: [1, 3, 13, .max])
    func pieces(_ size: Int) throws {
        let sent: [[UInt8]] = [[1, 2, 3], [], Array(repeating: 0, count: 300)]
        #expect(try payloads(sent.flatMap(frame), pieces: size) == sent)
    }

    @Test("a frame of 2 GiB, a wrong checksum and foreign bytes end a connection")
    func refused() {
        let claim: [UInt8] = GuestFrame.magic + [0x80, 0, 0, 0, 0, 0, 0, 0]
        #expect(throws: GuestChannelError.frameTooLong(1 << 31)) { try payloads(claim, pieces: .max) }
        var damaged = frame([1, 2, 3])
        damaged[damaged.count - 1] ^= 1
        #expect(throws: GuestChannelError.noFrame) { try payloads(damaged, pieces: .max) }
        #expect(throws: GuestChannelError.noFrame) { try payloads(Array("GET / HTTP".utf8), pieces: .max) }
    }

    @Test(
        "on a stream without an end, frames are found again after fragments and foreign bytes",
        arguments: [1, 7, .max]
    )
    func resynchronization(_ size: Int) throws {
        let whole = frame(Array(0..<200))
        let hello = frame([9, 9])
        for cut in [1, 4, 11, 12, 100, whole.count - 1] {
            let stream = whole.prefix(cut) + hello + whole
            #expect(
                try payloads(Array(stream), pieces: size, resynchronizes: true) == [[9, 9], Array(0..<200)],
                "cut at \(cut)"
            )
        }
        let noise: [UInt8] = [0, 0, 0x47, 0, 0x47, 0x4c, 1, 5, 0]
        #expect(try payloads(noise + hello, pieces: size, resynchronizes: true) == [[9, 9]])
    }

    private func decoder(_ bytes: [UInt8]) -> FrameDecoder {
        var decoder = FrameDecoder(resynchronizes: true)
        bytes.withUnsafeBytes { decoder.append($0) }
        return decoder
    }

    @Test("a hello in the middle of a frame that never ends is found when the frame's time has expired")
    func unfinished() throws {
        let cut = Array(frame(Array(repeating: 1, count: 30_000)).prefix(20_000))
        var decoder = decoder(cut + frame([9]) + frame([8]))
        #expect(try decoder.next() == nil)
        let isFound = decoder.expire()
        #expect(isFound)
        #expect(try decoder.next() == [9])
        #expect(try decoder.next() == [8])
        #expect(decoder.incomplete == 0)
    }

    @Test("a hello after several cut frames is found; each has its time")
    func unfinishedFrames() throws {
        let cut = Array(frame(Array(repeating: 1, count: 30_000)).prefix(1000))
        var decoder = decoder(cut + cut + cut + frame([9]))
        #expect(try decoder.next() == nil)
        let areFound = (0..<3).map { _ in decoder.expire() }
        #expect(areFound == [false, false, true])
        #expect(try decoder.next() == [9])
    }

    @Test("a whole frame in the payload of another is a part of that, in pieces of any size", arguments: [1, 7, 1000])
    func embedded(_ size: Int) throws {
        let payload = Array(0..<100) + frame([6, 6, 6]) + Array(0..<100)
        #expect(try payloads(frame(payload) + frame([9]), pieces: size, resynchronizes: true) == [payload, [9]])
    }

    @Test("a frame whose rest comes late is whole, though its time had expired")
    func late() throws {
        let whole = frame(Array(repeating: 1, count: 1000))
        var decoder = decoder(Array(whole.prefix(500)))
        #expect(try decoder.next() == nil)
        let isFound = decoder.expire()
        #expect(!isFound && !decoder.mayExpire)
        whole.dropFirst(500).withUnsafeBytes { decoder.append($0) }
        #expect(try decoder.next()?.count == 1000)
    }
}
