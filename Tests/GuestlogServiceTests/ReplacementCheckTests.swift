// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct ReplacementCheckTests {
    private let folder = TemporaryFolder()

    /// The check of a program with the argument `serve`, whose help shows `option` and which runs `script` for it.
    private func check(_ script: String, option: String = ReplacementCheck.option) throws -> ReplacementCheck {
        let path = folder.path + "/program"
        let text = """
            #!/bin/sh
            [ "$1" = serve ] || exit 9
            case "$2" in
            --help) echo "  \(option)  Check." ;;
            \(option)) \(script) ;;
            *) echo "Unknown option '$2'" >&2; exit 2 ;;
            esac

            """
        try ProgramFile.write(text, to: path)
        return ReplacementCheck(command: [path, "serve"], limit: 120)
    }

    @Test("a program that could begin is accepted, and so is one without the option")
    func accepted() throws {
        try check("exit 0").run()
        try check("exit 1", option: "--check-nothing").run()
        try ReplacementCheck(command: [folder.path + "/absent", "serve"]).run()
    }

    @Test("a program that refuses is refused, with its message in one line")
    func refused() throws {
        let words = "guestlog: a.yaml:3: unknown key stroe"
        var refusal = #expect(throws: ReplacementCheck.Refused.self) {
            try check("echo '\(words)' >&2; echo 'did you mean store?' >&2; exit 2").run()
        }
        #expect(refusal?.description == words + "; did you mean store?")
        refusal = #expect(throws: ReplacementCheck.Refused.self) { try check("exit 7").run() }
        #expect(refusal?.description.hasSuffix("/program --check-config ended with 7") == true)
    }

    @Test("the program has the given environment")
    func environment() throws {
        var check = try check("[ \"$GUESTLOG_STORE\" = /x ] || exit 2")
        #expect(throws: ReplacementCheck.Refused.self) { try check.run() }
        check.environment = ["PATH=/usr/bin:/bin", "GUESTLOG_STORE=/x"]
        try check.run()
    }
}
