// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService

/// The integration with libvirt.
struct Libvirt: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "libvirt",
        abstract: "Replace libvirt's log daemon, restore it, and configure domains' logs.",
        subcommands: [Adopt.self, Release.self, LibvirtXML.self]
    )

    struct Adopt: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "adopt",
            abstract: "Take over all logs of the running virtlogd; guests continue, and no byte is lost.",
            discussion: """
                Replaces virtlogd by a link to this program, keeps it beside the link as virtlogd.libvirt, and has the \
                process execute the link (SIGUSR1). Its socket and its logs stay open.
                """
        )

        @OptionGroup var daemon: LogDaemonOptions

        func run() throws {
            let done = try daemon.takeOver().adopt()
            done.warnings.forEach { Output.error($0, prefix: "") }
            try Output.write(
                "process \(done.process) runs Guestlog now, with \(done.logs) logs; \(done.path) is a link to it\n"
            )
        }
    }

    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "release",
            abstract: "Return all logs to virtlogd; guests continue, and no byte is lost."
        )

        @OptionGroup var daemon: LogDaemonOptions

        func run() throws {
            let done = try daemon.takeOver().release()
            try Output.write("process \(done.process) runs virtlogd again, with \(done.logs) logs\n")
        }
    }
}

/// The log daemon to act on.
struct LogDaemonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The file with the daemon's process id, if not libvirt's.", valueName: "path"))
    var pidFile: String?

    func takeOver() throws -> VirtlogdTakeOver {
        try VirtlogdTakeOver(processFile: pidFile)
    }
}
