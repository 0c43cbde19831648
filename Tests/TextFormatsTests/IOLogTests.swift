// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

@testable import TextFormats

@Suite(.blocking) struct IOLogTests {
    private typealias Item = IOLogDecoder.Item

    private let pangram = Array("The quick brown fox jumps over the lazy dog.\n".utf8)
    /// 1976-01-22T21:35:00Z, in nanoseconds.
    private let time: Int64 = 191_193_300_000_000_000

    private func decode(_ bytes: [UInt8]) -> [Item] {
        var decoder = IOLogDecoder()
        return decoder.add(bytes) + decoder.finish()
    }

    private func text(_ items: [Item]) -> [UInt8] {
        items.flatMap { item in
            if case .entry(_, let message, _) = item { message } else { [UInt8]() }
        }
    }

    @Test("the header is sixteen characters: time, size and stream, little-endian, in Base64")
    func header() {
        var encoder = IOLogEncoder()
        let out = encoder.add(pangram, isError: true, time: 0x0807_0605_0403_0201)
        // 01 … 08, then 45 << 4 | 8 = 0x02d8.
        #expect(String(decoding: out.prefix(16), as: UTF8.self) == "AQIDBAUGBwjYAg==")
        #expect(Array(out.dropFirst(16)) == pangram)
        #expect(
            decode(out) == [
                .entry(
                    IOLogHeader(time: 0x0807_0605_0403_0201, size: 45, isError: true),
                    message: pangram,
                    isCut: false
                )
            ]
        )
    }

    @Test("a line is an entry; what exceeds an entry, and what has no end, follows in others")
    func division() {
        var encoder = IOLogEncoder()
        var out = encoder.add([UInt8](repeating: 0, count: 32 << 10), isError: false, time: time)
        out += encoder.finish(time: time)
        #expect(out.count == 32_768 + 9 * 16)
        let sizes = decode(out).map { item in
            if case .entry(let header, _, false) = item { header.size } else { -1 }
        }
        #expect(sizes == Array(repeating: 4095, count: 8) + [8])
        out = encoder.add(Array("a\nb".utf8), isError: false, time: 1)
        out += encoder.add(Array("x".utf8), isError: true, time: 2)
        out += encoder.add(Array("c\n".utf8), isError: false, time: 3)
        out += encoder.finish(time: 4)
        #expect(encoder.finish(time: 5).isEmpty)
        #expect(
            decode(out) == [
                .entry(IOLogHeader(time: 1, size: 2, isError: false), message: Array("a\n".utf8), isCut: false),
                .entry(IOLogHeader(time: 3, size: 3, isError: false), message: Array("bc\n".utf8), isCut: false),
                .entry(IOLogHeader(time: 4, size: 1, isError: true), message: Array("x".utf8), isCut: false),
            ]
        )
    }

    @Test("32 KiB of random bytes come back, received in pieces of any size, after garbage before the first header")
    func roundTrip() {
        var generator = SeededGenerator(seed: 33)
        let data = (0..<32 << 10).map { _ in UInt8.random(in: 0...255, using: &generator) }
        var encoder = IOLogEncoder()
        let log = [0x0d, 0xff] + encoder.add(data, isError: false, time: time) + encoder.finish(time: time)
        for size in [1, 15, 16, 17, 4096, log.count] {
            var decoder = IOLogDecoder()
            var items: [Item] = []
            var rest = log[...]
            while !rest.isEmpty {
                items += decoder.add(rest.prefix(size))
                rest = rest.dropFirst(size)
            }
            items += decoder.finish()
            #expect(text(items) == data && decoder.pendingCount == 0, "\(size)")
            let damage = items.flatMap { item in if case .damage(let bytes) = item { bytes } else { [UInt8]() } }
            #expect(damage == [0x0d, 0xff])
        }
    }

    @Test("one damaged entry, whatever is wrong with it, hides no other")
    func damage() {
        var encoder = IOLogEncoder()
        let lines = (0..<20).map { Array("line number \($0)\n".utf8) }
        let entries = lines.enumerated().map { encoder.add($1, isError: false, time: Int64($0)) }
        var generator = SeededGenerator(seed: 34)
        for round in 0..<200 {
            var damaged = entries
            let index = Int.random(in: 1..<19, using: &generator)
            switch round % 4 {
            case 0:
                damaged[index][Int.random(in: 0..<16, using: &generator)] ^=
                    1 << UInt8.random(in: 0..<7, using: &generator)
            case 1: damaged[index].removeSubrange(0..<Int.random(in: 1..<damaged[index].count, using: &generator))
            case 2: damaged[index].removeLast(Int.random(in: 1..<damaged[index].count, using: &generator))
            default:
                damaged[index].insert(
                    contentsOf: Array("\u{0d}\u{ff}==AAAA".utf8),
                    at: Int.random(in: 0..<17, using: &generator)
                )
            }
            let messages = decode(damaged.flatMap { $0 }).compactMap { item in
                if case .entry(_, let message, false) = item { message } else { nil }
            }
            for (number, line) in lines.enumerated() where number != index {
                // What precedes the damaged entry may be cut where a header seems to begin.
                #expect(messages.contains(line), "\(round): \(number) is missing after damage to \(index)")
            }
        }
    }

    @Test("a log that ends inside a message is shorter, not padded")
    func cut() {
        var encoder = IOLogEncoder()
        let log = encoder.add(pangram, isError: false, time: time)
        #expect(
            decode(log.dropLast(5)) == [
                .entry(IOLogHeader(time: time, size: 45, isError: false), message: pangram.dropLast(5), isCut: true)
            ]
        )
        #expect(decode(log.prefix(9).map { $0 }) == [.damage(Array(log.prefix(9)))])
    }

    @Test("random bytes are returned completely, as entries and damage")
    func hostile() {
        var generator = SeededGenerator(seed: 35)
        let alphabet = Array("AQIDBAUGBwjYAg==".utf8)
        for _ in 0..<50 {
            let bytes = (0..<Int.random(in: 0..<3000, using: &generator)).map { _ in
                Bool.random(using: &generator)
                    ? UInt8.random(in: 0...255, using: &generator) : alphabet.randomElement(using: &generator)!
            }
            let count = decode(bytes).reduce(0) { sum, item in
                switch item {
                case .entry(_, let message, _): sum + 16 + message.count
                case .damage(let bytes): sum + bytes.count
                }
            }
            #expect(count == bytes.count)
        }
    }
}
