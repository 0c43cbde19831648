import ArgumentParser
import ControlAPI
import LogModel
import LogStore
import Query
import SystemIO

struct Wait: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Block until a VM says something that matches.",
        discussion:
            "An unfinished last line, such as a prompt, matches too. What the latest boot has said so far counts."
    )

    @Argument(help: "The VM: name, UUID, or the beginning of one.")
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
        let line: String?
        if let store = try places.readableStore() {
            line = try wait(in: store)
        } else {
            var parameters = ["pattern": [pattern]]
            parameters["timeout"] = timeout.map { [$0] }
            parameters["since"] = since.map { [$0] }
            parameters["stream"] = stream.map { [$0] }
            let answer = try await places.client().get(RequestTarget(["v1", "vms", vm, "wait"], parameters))
            line = answer["text"]?.text
        }
        guard let line else {
            Output.error("\(Terminal.safe(vm)) did not say it in time")
            throw ExitCode.nothingMatched
        }
        if !quiet {
            try Output.write(Terminal.safe(line) + "\n")
        }
    }

    private func wait(in store: Store) throws -> String? {
        let compiled = try Pattern(pattern)
        let now = presentMoment()
        let from = try since.map { try TimeWords.parse($0, now: now, zone: .system) }
        let name = try stream.map { text in
            guard let name = StreamName(text) else {
                throw ValidationError("\(text) is no stream's name")
            }
            return name
        }
        let limit = try timeout.map { try Quantities.parseDuration($0).components.seconds }
        let clock = SystemClock()
        let deadline = limit.map { clock.monotonicMicroseconds() + $0 * 1_000_000 }
        let found = try VMLookup.resolve(vm, in: store, previousInstance: false)
        let query = try PatternWait(store: store, vm: found, stream: name, pattern: compiled, since: from)
        let wake = try FolderWake(store)
        while true {
            wake.watch(query.streams)
            if let match = try query.poll() {
                return String(decoding: match.line, as: UTF8.self)
            }
            let rest = deadline.map { $0 - clock.monotonicMicroseconds() }
            if let rest, rest <= 0 {
                return nil
            }
            _ = wake.wait(milliseconds: rest.map { Int32(clamping: $0 / 1000 + 1) } ?? -1)
        }
    }
}
