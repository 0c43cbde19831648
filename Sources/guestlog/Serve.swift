// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import SystemIO

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Run the daemon, which captures consoles.",
        discussion: """
            Supports systemd's protocols (Type=notify, socket activation, watchdog, descriptor store). SIGHUP reloads the \
            configuration. SIGUSR2 replaces the running program with the one on disk, without losing a byte, if that \
            program's --check-config succeeds.
            """
    )

    @OptionGroup var paths: PathOptions
    @OptionGroup var check: CheckOption

    func run() throws {
        let configuration = try paths.configuration()
        try SystemDaemon.refuseSecond(paths)
        if check.checkConfig {
            return try Daemon.check(configuration)
        }
        try DaemonFolders.prepare(configuration)
        try Daemon(configuration, file: paths.configurationFile).run()
    }
}
