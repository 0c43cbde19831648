// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RuntimeSources

@Suite struct ConsoleFileOrderTests {
    private func files(_ names: String...) -> [ConsoleFile] {
        names.map { ConsoleFile(id: $0, path: "/" + $0, origin: $0) }
    }

    @Test("the oldest file is first, and each is followed by the next one")
    func inOrder() {
        var order = ConsoleFileOrder()
        let isKnown = order.begin(files("a", "b")) { _ in false }
        #expect(!isKnown && order.current?.id == "a" && !order.isComplete)
        let hasNext = order.next()
        #expect(hasNext && order.current?.id == "b")
        let hasAnother = order.next()
        #expect(!hasAnother && order.current?.id == "b")
        order.update(files("a", "b", "c"))
        let goesOn = order.next()
        #expect(goesOn && order.current?.id == "c", "a is not read again")
    }

    @Test("reading continues with the file whose text came last")
    func continued() {
        var order = ConsoleFileOrder()
        let isKnown = order.begin(files("a", "b", "c")) { $0.id == "b" }
        #expect(isKnown && order.current?.id == "b")
        order.update(files("a", "b", "c"))
        let hasNext = order.next()
        #expect(hasNext && order.current?.id == "c")
    }

    @Test("a file that is gone is the current one until it is at its end")
    func gone() {
        var order = ConsoleFileOrder()
        _ = order.begin(files("a")) { _ in false }
        order.update([])
        #expect(order.current?.id == "a" && order.isComplete)
        order.update(files("b"))
        #expect(order.current?.id == "a" && !order.isComplete)
        let hasNext = order.next()
        #expect(hasNext && order.current?.id == "b" && !order.isComplete)
    }

    @Test("without a file nothing is read until there is one")
    func none() {
        var order = ConsoleFileOrder()
        _ = order.begin([]) { _ in false }
        let isEmpty = order.next()
        #expect(!isEmpty && order.current == nil)
        order.update(files("a"))
        let hasNext = order.next()
        #expect(hasNext && order.current?.id == "a")
    }
}
