// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import LogStore

@Suite(.blocking) struct EvictionChoiceTests {
    private func extents(_ list: (UInt64, StreamLayout.Kind)...) -> [StreamLayout.Extent] {
        list.map { StreamLayout.Extent(base: $0, kind: $1) }
    }

    @Test("all but the newest extent may be removed, no head, and no pair whose blocks are in a segment")
    func evictable() {
        let segments = extents((0, .head), (0, .segment), (50, .pair), (100, .segment))
        let all = segments + extents((150, .pair), (200, .pair), (300, .pair))
        let choice = EvictableExtents(all, lastSealed: 150)
        #expect(choice.sealed == extents((50, .pair), (150, .pair)))
        #expect(Array(choice.evictable) == extents((0, .segment), (100, .segment), (200, .pair)))
        // Without a segment that can be read no pair is known to be sealed.
        #expect(EvictableExtents(all, lastSealed: nil).sealed.isEmpty)
        // The newest may be a segment.
        let sealed = EvictableExtents(extents((0, .segment), (100, .segment), (150, .pair)), lastSealed: 150)
        #expect(Array(sealed.evictable) == extents((0, .segment)))
        #expect(EvictableExtents(extents((0, .head), (0, .pair)), lastSealed: nil).evictable.isEmpty)
        #expect(EvictableExtents([], lastSealed: nil).evictable.isEmpty)
    }

    @Test("the oldest extents are removed until enough is freed, and no size is asked for beyond that")
    func victims() {
        let all = extents((0, .segment), (100, .segment), (200, .segment), (300, .segment))
        let choice = EvictableExtents(all, lastSealed: nil)
        var asked: [UInt64] = []
        let victims = choice.victims(freeing: 15) { extent in
            asked.append(extent.base)
            return 10
        }
        #expect(victims == Array(all.prefix(2)) && asked == [0, 100])
        #expect(choice.victims(freeing: 0) { _ in 10 }.isEmpty)
        #expect(choice.victims(freeing: 1000) { _ in 10 } == Array(all.prefix(3)))
    }

    @Test("of several streams the largest is reduced to the next, and never by less than a byte")
    func streams() {
        let usages = [("small", 10), ("large", 100), ("other", 70), ("alike", 70)]
        let shares = EvictionShare.shares(of: usages.map { (owner: $0.0, usage: $0.1) }, excess: 50)
        #expect(shares.map(\.bytes) == [30, 1, 50, 10])
        #expect(shares.first?.owner == "large" && shares.last?.owner == "small")
        #expect(EvictionShare.shares(of: [("a", 100)], excess: 20).map(\.bytes) == [20])
    }

    @Test("of several VMs the largest is reduced to the next; of equal ones each gives its part of the excess")
    func largest() {
        let unequal = EvictionShare.ofLargest(["a": 100, "b": 40, "c": 10], excess: 90)
        #expect(unequal?.owner == "a" && unequal?.bytes == 60)
        #expect(EvictionShare.ofLargest(["a": 100, "b": 100, "c": 100], excess: 90)?.bytes == 30)
        #expect(EvictionShare.ofLargest(["a": 100, "b": 100, "c": 100], excess: 2)?.bytes == 1)
        #expect(EvictionShare.ofLargest(["a": 100], excess: 5)?.bytes == 5)
        #expect(EvictionShare.ofLargest(["a": 100], excess: 0)?.bytes == nil)
        #expect(EvictionShare<String>.ofLargest([:], excess: 5)?.bytes == nil)
    }
}
