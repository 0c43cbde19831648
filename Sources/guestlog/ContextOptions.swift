// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Query

/// The options for lines around those that match, as grep has them.
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

    @Option(
        name: [.customShort("C"), .long],
        help: ArgumentHelp("Show N lines before and after each line that matches.", valueName: "n")
    )
    var context: Int?

    func size() throws -> ContextSize {
        func count(_ option: String, _ number: Int?) throws -> Int? {
            try number.map { try RequestWords.context(option, String($0)) }
        }
        let both = try count("--context", context) ?? 0
        var size = ContextSize()
        size.before = try count("--before-context", beforeContext) ?? both
        size.after = try count("--after-context", afterContext) ?? both
        return size
    }

    /// Throws when there is nothing to show lines around.
    static func check(_ selection: Selection) throws {
        try RequestWords.checkContext(
            of: selection,
            option: "--context",
            filters: "--grep, --severity or FIELD=VALUE"
        )
    }
}
