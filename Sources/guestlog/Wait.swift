import ArgumentParser
import ControlAPI
import LogModel
import LogStore
import Query

struct Wait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Block until a VM says something that matches.",
        discussion: """
            An unfinished last line, such as a prompt, matches too. What the latest boot has said so far counts. A VM \
            that is not there yet, or was deleted, is waited for.
            """
    )

    @Argument(help: "The VM: its name, its UUID, or the beginning of its UUID.")
    var vm: String

    @Argument(help: ArgumentHelp("A Perl regular expression.", valueName: "re"))
    var pattern: String

    @Option(help: ArgumentHelp("Give up after this long: 30s, 5m.", valueName: "duration"))
    var timeout: String?

    @Option(
        name: [.customShort("S"), .long],
        help: ArgumentHelp("What was said since then counts, of whatever boot.", valueName: "time")
    )
    var since: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("This stream only.", valueName: "stream"))
    var stream: String?

    @Flag(name: .shortAndLong, help: "Do not print the line.")
    var quiet = false

    @OptionGroup var places: PlaceOptions

    func run() async throws {
        let compiled = try Pattern(pattern)
        let from = try since.map { try TimeWords.parse($0, now: presentMoment(), zone: .system) }
        let limit = try timeout.map { try Quantities.parseDuration($0).wholeMicroseconds }
        let text: String?
        if let store = try places.readableStore() {
            sayWhatIsAwaited(in: store)
            let wait = PatternWait(store: store, vm: vm, stream: try streamName(), pattern: compiled, since: from)
            text = try await Following(FolderListener(store) { Output.error($0) }).match(wait, within: limit)?.text
        } else {
            var parameters = ["pattern": [pattern]]
            parameters["timeout"] = timeout.map { [$0] }
            // What words such as 17:00 mean is decided by the clocks here, not by the daemon's.
            parameters["since"] = from.map { [$0.description] }
            parameters["stream"] = stream.map { [$0] }
            let answer = try await places.client().get(RequestTarget(["v1", "vms", vm, "wait"], parameters))
            text = answer["text"]?.text
        }
        guard let text else {
            Output.error("\(Terminal.safe(vm)) did not say it in time")
            throw ExitCode.nothingMatched
        }
        if !quiet {
            try Output.write(DisplayedLine.text(of: text.utf8) + "\n")
        }
    }

    /// A VM that is not there may be one that is to come, or a slip of the finger.
    private func sayWhatIsAwaited(in store: Store) {
        do {
            _ = try VMLookup.resolve(vm, in: store, previousInstance: false)
        } catch {
            if error.code == .noSuchVM {
                Output.error("\(error) (waiting for it)")
            }
        }
    }

    private func streamName() throws -> StreamName? {
        guard let stream else {
            return nil
        }
        guard let name = StreamName(stream) else {
            throw ValidationError("\(Terminal.safe(stream)) is no stream's name")
        }
        return name
    }
}
