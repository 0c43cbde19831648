// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel

/// The daemon's outputs.
struct OutputsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "outputs",
        abstract: "Show and control the outputs, which send what is stored to other programs.",
        subcommands: [Status.self, Skip.self, Replay.self]
    )

    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "status",
            abstract: "Show the state of each output."
        )

        @Option(name: .shortAndLong, help: "text or json.")
        var output: ListFormat = .text

        @OptionGroup var times: TimeOptions
        @OptionGroup var paths: PathOptions

        func run() async throws {
            let outputs = try await paths.client().get(RequestTarget(["v1", "outputs"]))["outputs"]?.elements ?? []
            if output == .json {
                try Output.write(outputs.flatMap { $0.bytes + [Lines.feed] })
                return
            }
            func number(_ output: JSON, _ name: String) -> String { output[name]?.integer.map { String($0) } ?? "-" }
            let rows = outputs.map { output in
                [
                    Terminal.safe(output["name"]?.text ?? ""), Terminal.safe(output["state"]?.text ?? ""),
                    number(output, "delivered"), output["behind_bytes"]?.integer.map(Output.size) ?? "-",
                    number(output, "set_aside"), times.cell(output["last_delivery"]?.text),
                    Terminal.safe(output["destination"]?.text ?? ""),
                ]
            }
            let head = ["NAME", "STATE", "DELIVERED", "BEHIND", "SET ASIDE", "LAST DELIVERY", "DESTINATION"]
            try Output.write(Output.table([head] + rows))
            for output in outputs {
                let name = Terminal.safe(output["name"]?.text ?? "")
                for (member, word) in [("problem", "problem"), ("complaint", "last refusal")] {
                    if let text = output[member]?.text {
                        try Output.write("\(word): \(name): \(Terminal.safe(text))\n")
                    }
                }
                if let file = output["set_aside_file"]?.text {
                    try Output.write("set aside: \(name): \(Terminal.safe(file))\n")
                }
            }
        }
    }

    struct Skip: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "skip",
            abstract: "Pass over what is stored and was not delivered yet.",
            discussion: "The output continues with what is stored from now on."
        )

        @Argument(help: "The output's name.")
        var name: String

        @OptionGroup var paths: PathOptions

        func run() async throws {
            _ = try await paths.client().post(RequestTarget(["v1", "outputs", name, "skip"]), .object([]))
            Output.error("the output \(Terminal.safe(name)) continues with what is stored from now on")
        }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "replay",
            abstract: "Send again what was received since a time.",
            discussion: """
                Records are sent with the ids that they had, so that a destination which knows ids stores none twice. \
                What was not delivered yet is sent in any case, also what was received before that time.
                """
        )

        @Argument(help: "The output's name.")
        var name: String

        @Option(help: ArgumentHelp("Since when, as -1h or 2026-11-20 17:00.", valueName: "time"))
        var since: String

        @OptionGroup var paths: PathOptions

        func run() async throws {
            let body = try body(now: presentMoment())
            _ = try await paths.client().post(RequestTarget(["v1", "outputs", name, "replay"]), body)
            Output.error(
                "the output \(Terminal.safe(name)) sends again what was received since \(Terminal.safe(since))"
            )
        }

        /// The request: times such as 17:00 are local to this command, not to the daemon.
        func body(now: Timestamp) throws -> JSON {
            .object([("since", .string(try TimeOptions().beginning("--since", since, now: now).description))])
        }
    }
}
