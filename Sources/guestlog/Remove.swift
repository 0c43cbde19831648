import ArgumentParser
import ControlAPI

struct Remove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm",
        abstract: "Say that a VM was deleted.",
        discussion: """
            Its consoles are let go, its log is kept for seven more days (retention: deleted:), and the next VM of its \
            name begins a log of its own; --previous-instance reaches this one.
            """
    )

    @Argument(help: "The VM: its name, its UUID, or the beginning of its UUID.")
    var vm: String

    @OptionGroup var paths: PathOptions

    func run() async throws {
        _ = try await paths.client().delete(RequestTarget(["v1", "vms", vm]))
    }
}
