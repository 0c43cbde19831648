// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Testing

@testable import guestlog

@Suite struct CommandNamesTests {
    @Test("every command states its name: deriving names from types was a third of the time that the program starts in")
    func namesAreStated() {
        var commands: [any ParsableCommand.Type] = [Guestlog.self]
        var count = 0
        while let command = commands.popLast() {
            #expect(command.configuration.commandName != nil, "\(command)")
            commands += command.configuration.subcommands
            count += 1
        }
        #expect(count > 40)
    }
}
