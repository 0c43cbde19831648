// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Query

/// The options for lines around those that match, as grep has them; `-A` and `--context` are other options of kubectl.
struct ContextOptions: ParsableArguments {
    @Option(
        name: [.customShort("B"), .long],
        help: ArgumentHelp(
            "Show N lines before each line that matches; --tail and --head count matches.",
            valueName: "n"
        )
    )
    var beforeContext: Int?

    @Option(help: ArgumentHelp("Show N lines after each line that matches.", valueName: "n"))
    var afterContext: Int?

    /// Completes `selection`; `both` is the context in directions without an option of their own.
    func apply(to selection: inout Selection, both: Int = 0) throws {
        func count(_ option: String, _ number: Int?) throws -> Int {
            try number.map { try RequestWords.context(option, String($0)) } ?? both
        }
        selection.context.before = try count("--before-context", beforeContext)
        selection.context.after = try count("--after-context", afterContext)
        try RequestWords.checkContext(
            of: selection,
            option: "--before-context and --after-context",
            filters: "--grep, --severity or FIELD=VALUE"
        )
    }
}
