// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing
import TextFormats

@Suite(.blocking) struct ContainerPartsTests {
    private func part(_ text: some Sequence<UInt8>, _ time: Int64, isError: Bool, isPartial: Bool) -> ContainerPart {
        ContainerPart(time: time, isError: isError, text: Array(text), isPartial: isPartial)
    }

    @Test("parts of one stream are joined, whatever the other one writes between them")
    func joined() {
        var parts = ContainerParts()
        #expect(parts.add(part("a".utf8, 1, isError: false, isPartial: true), at: 0) == nil)
        #expect(parts.add(part("x".utf8, 2, isError: true, isPartial: false), at: 10)?.text == Array("x".utf8))
        let line = parts.add(part("b".utf8, 3, isError: false, isPartial: false), at: 20)
        #expect(line?.text == Array("ab".utf8) && line?.time == 1 && line?.start == 0 && line?.isTruncated == false)
        #expect(parts.takeUnfinished() == nil)
    }

    @Test("a line that never ends costs in proportion to its parts, and is limited")
    func endless() {
        var parts = ContainerParts()
        let large = [UInt8](repeating: 0x78, count: ContainerParts.limit)
        _ = parts.add(part(large, 1, isError: false, isPartial: true), at: 0)
        let time = processorTime {
            for number in 0..<50_000 as Range<UInt64> {
                _ = parts.add(part("x".utf8, 2, isError: false, isPartial: true), at: number)
            }
        }
        #expect(time < 5)
        let left = parts.takeUnfinished()
        #expect(left?.text.count == ContainerParts.limit && left?.isTruncated == true && parts.takeUnfinished() == nil)
    }

    @Test("a part that comes long after the one before it does not belong to its line")
    func pause() {
        var parts = ContainerParts()
        _ = parts.add(part("died".utf8, 0, isError: true, isPartial: true), at: 0)
        _ = parts.add(part("out".utf8, 1, isError: false, isPartial: true), at: 10)
        _ = parts.add(part(" here".utf8, ContainerParts.pause, isError: true, isPartial: true), at: 20)
        #expect(parts.takeUnfinished(before: ContainerParts.pause + 1) == nil)
        #expect(parts.takeUnfinished(before: ContainerParts.pause + 2)?.text == Array("out".utf8))
        #expect(parts.takeUnfinished(before: 2 * ContainerParts.pause + 1)?.text == Array("died here".utf8))
        #expect(parts.takeUnfinished() == nil)
    }
}
