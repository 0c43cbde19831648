import ArgumentParser
import GuestlogService
import SystemIO

struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Capture consoles until stopped: the daemon.",
        discussion: """
            Speaks systemd's protocols (Type=notify, socket activation, watchdog, descriptor store). SIGHUP reads the \
            configuration again, SIGUSR2 replaces the running program by the one on disk without losing a byte.
            """
    )

    @OptionGroup var places: PlaceOptions

    func run() throws {
        let configuration = try places.configuration()
        try LinuxPlaces.prepare(configuration)
        try Daemon(configuration, file: places.configurationFile).run()
    }
}
