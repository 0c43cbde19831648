// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import GuestlogService

struct Config: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Check a configuration file, try its pipelines, or show the effective configuration.",
        subcommands: [Check.self, Show.self, Try.self]
    )

    struct Check: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "check",
            abstract: "Check a configuration file; report errors with their lines."
        )

        @Argument(help: "The file; by default the one in effect.", completion: .file())
        var file: String?

        @OptionGroup var paths: PathOptions

        func run() throws {
            guard let chosen = file ?? paths.configurationFile else {
                try Output.write("no configuration file; the defaults apply\n")
                return
            }
            let configuration = try Configuration(file: chosen)
            let faults = configuration.pipelineFaults.map { "\(chosen): \($0)" }
            let conflicts = configuration.conflicts.map { "\($0)" } + faults
            guard conflicts.isEmpty else {
                conflicts.forEach { Output.error($0) }
                throw ExitCode.wrongUse
            }
            try Output.write("\(chosen): valid\n")
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "show",
            abstract: "Show the effective configuration, defaults included."
        )

        @OptionGroup var paths: PathOptions

        func run() throws {
            let file = ["file", paths.configurationFile ?? "none"]
            let settings = try paths.configuration().settings.map { [$0.name, $0.value] }
            try Output.write(Output.table([file] + settings))
        }
    }
}
