// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import LogModel
import SystemIO

/// libvirt's log daemon, with virtlogd's command line: a link to this program named virtlogd runs it.
struct VirtlogdCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "virtlogd",
        abstract: "Run libvirt's log daemon, in place of virtlogd.",
        discussion: """
            Accepts virtlogd's options and configuration file; started as root it serves the system's libvirtd, else the \
            session's. Guestlog's configuration (GUESTLOG_CONFIG) sets its store and retention. SIGUSR1 or SIGUSR2 \
            replaces the running program with the one that it was started from, with all open logs, if that program's \
            --check-config succeeds.
            """
    )

    @Flag(name: .shortAndLong, help: "Log more.")
    var verbose = false

    @Flag(name: .shortAndLong, help: "Run in the background; messages go to syslog, or to a file on standard error.")
    var daemon = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Seconds without clients and logs after which it ends.", valueName: "seconds")
    )
    var timeout: Int?

    @Option(name: [.customShort("f"), .customLong("config")], help: "virtlogd.conf.")
    var settings: String?

    @Option(name: .shortAndLong, help: "The file for the process id.")
    var pidFile: String?

    @Option(help: "The socket, if not libvirt's.")
    var socket: String?

    @OptionGroup var check: CheckOption

    @Flag(name: [.customShort("V"), .customLong("version")], help: "Print the version.")
    var showsVersion = false

    func validate() throws {
        if let timeout, timeout <= 0 {
            throw ValidationError("--timeout must be more than 0 seconds")
        }
    }

    func run() throws {
        if showsVersion {
            return try Output.write("virtlogd (guestlog) \(ProgramVersion.current)\n")
        }
        var configuration = try PathOptions.parse([]).configuration()
        if verbose {
            configuration.logLevel = max(configuration.logLevel, .info)
        }
        let options = Virtlogd.Options(settings: settings, processFile: pidFile, socket: socket, timeout: timeout)
        if check.checkConfig {
            return try Virtlogd.check(options, configuration).forEach { Output.error($0) }
        }
        try DaemonFolders.prepareRuntime(configuration)
        var onBegin = {}
        if daemon, !Virtlogd.isContinued(options, configuration) {
            // Before any thread is started.
            onBegin = try ProgramImage.daemonize()
        }
        try Virtlogd(options, configuration).run(onBegin: onBegin)
    }
}
