import ArgumentParser
import GuestlogService

/// Working beside libvirt, and in place of its log daemon.
struct Libvirt: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take the place of libvirt's log daemon, give it back, and have domains logged.",
        subcommands: [Adopt.self, Release.self, LibvirtXML.self]
    )

    struct Adopt: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take over all logs of the virtlogd that runs; guests run on, and no byte is lost.",
            discussion: """
                A link to this program takes virtlogd's place, which is kept beside it as virtlogd.libvirt; then the \
                process is told to begin anew from there (SIGUSR1). Its socket and its logs stay.
                """
        )

        @OptionGroup var daemon: LogDaemonOptions

        func run() throws {
            let done = try daemon.takeOver().adopt()
            try Output.write(
                "process \(done.process) is Guestlog now, with \(done.logs) logs; \(done.path) leads to it\n"
            )
        }
    }

    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give all logs back to virtlogd; guests run on, and no byte is lost."
        )

        @OptionGroup var daemon: LogDaemonOptions

        func run() throws {
            let done = try daemon.takeOver().release()
            try Output.write("process \(done.process) is virtlogd again, with \(done.logs) logs\n")
        }
    }
}

/// Which log daemon is meant.
struct LogDaemonOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The file with the daemon's process id, if not libvirt's.", valueName: "path"))
    var pidFile: String?

    func takeOver() throws -> VirtlogdTakeOver {
        try VirtlogdTakeOver(processFile: pidFile)
    }
}
