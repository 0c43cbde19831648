import ArgumentParser
import ControlAPI
import GuestlogService
import LogStore
import Query

struct Export: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a VM's log in another program's format.",
        discussion: "Formats: text, short, json, logfmt, cri, journal (systemd's export format), raw."
    )

    @Argument(help: "The format.")
    var format: String

    @Argument(help: ArgumentHelp("The VMs.", valueName: "vm"))
    var vms: [String]

    @OptionGroup var places: PlaceOptions

    func run() throws {
        guard let chosen = OutputFormat(rawValue: format == "journal" ? "export" : format) else {
            throw ValidationError("\(format) is no format; there are text, short, json, logfmt, cri, journal, raw")
        }
        try Output.checkTerminal(chosen)
        guard let store = try places.readableStore() else {
            Output.error("the store \(try places.configuration().store) cannot be read; export needs to")
            throw ExitCode.outOfReach
        }
        var request = LogRequest()
        request.vms = vms
        request.rendering.format = chosen
        request.rendering.timestamps = chosen == .text
        let query = try request.open(store, now: presentMoment())
        while let chunk = try query.next() {
            try Output.write(chunk)
        }
        if let explanation = query.explanation() {
            Output.error(explanation)
        }
    }
}
