// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import Capture

@Suite struct ReceiveBudgetTests {
    @Test("over the limit the largest connection of the owner with the most is to end, whichever connection exceeds it")
    func excess() {
        var budget = ReceiveBudget<String, Int>(limit: 100)
        budget.set(40, of: 1, owner: "one")
        budget.set(30, of: 2, owner: "many")
        budget.set(20, of: 3, owner: "many")
        budget.set(10, of: 4, owner: "few")
        #expect(budget.excess == nil)
        // "one" has the largest connection, "many" the most memory.
        budget.set(11, of: 4, owner: "few")
        #expect(budget.excess == 2)
        budget.set(0, of: 2, owner: "many")
        #expect(budget.excess == nil)
        budget.set(70, of: 3, owner: "many")
        budget.set(0, of: 3, owner: "many")
        budget.set(0, of: 3, owner: "many")
        budget.set(90, of: 4, owner: "few")
        #expect(budget.excess == 4)
    }
}
