// SPDX-License-Identifier: Apache-2.0

/// Elements of which the least can be taken, in a time that grows with the logarithm of their number (a binary heap).
struct MinHeap<Element: Comparable> {
    /// No element is less than its parent, at (index − 1) / 2, so the least element is the first.
    private var elements: [Element] = []

    var count: Int { elements.count }
    var first: Element? { elements.first }

    mutating func insert(_ element: Element) {
        elements.append(element)
        var index = elements.count - 1
        while index > 0, elements[index] < elements[(index - 1) / 2] {
            elements.swapAt(index, (index - 1) / 2)
            index = (index - 1) / 2
        }
    }

    /// Removes the first element; there must be one.
    mutating func removeFirst() {
        elements.swapAt(0, elements.count - 1)
        elements.removeLast()
        var index = 0
        while case let left = 2 * index + 1, left < elements.count {
            let right = left + 1
            let least = right < elements.count && elements[right] < elements[left] ? right : left
            guard elements[least] < elements[index] else {
                return
            }
            elements.swapAt(index, least)
            index = least
        }
    }
}
