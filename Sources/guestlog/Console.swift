import ArgumentParser
import ControlAPI
import Glibc
import SystemIO

struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join a VM's console; ^] leaves.",
        discussion: """
            Everything goes on being logged. Several may watch, one writes. What is typed is not stored; what the guest \
            answers is.
            """
    )

    @Argument(help: "The VM: name or UUID.")
    var vm: String

    @Flag(help: "Only look.")
    var watch = false

    @Flag(help: "Take the right to write from whoever has it.")
    var steal = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The console's stream.", valueName: "stream"))
    var stream: String?

    @OptionGroup var places: PlaceOptions

    /// ^], telnet's and virsh's way out.
    static let escape: UInt8 = 0x1d

    func validate() throws {
        if watch, steal {
            throw ValidationError("--watch and --steal exclude each other")
        }
    }

    func run() async throws {
        var parameters = ["mode": [watch ? "watch" : steal ? "steal" : "write"]]
        parameters["stream"] = stream.map { [$0] }
        let target = RequestTarget(["v1", "vms", vm, "console"], parameters)
        let client = try places.client()
        let mode = Terminal.makeRaw()
        if mode != nil {
            Output.error("connected to \(Terminal.safe(vm)); ^] leaves\r", prefix: "-- ")
        }
        let reason: String?
        do {
            reason = try await client.console(target, input: keys(endsWithInput: mode == nil)) { bytes in
                try? Output.write(bytes)
            }
        } catch {
            Terminal.restore(mode)
            throw error
        }
        Terminal.restore(mode)
        if let reason, !reason.isEmpty {
            Output.error(reason)
            throw ExitCode.wrongUse
        }
        if mode != nil {
            Output.error("left \(Terminal.safe(vm))", prefix: "\n-- ")
        }
    }

    /// What is typed, up to ^]. From a pipe: up to its end, unless only to watch.
    private func keys(endsWithInput: Bool) -> AsyncStream<[UInt8]> {
        let watch = watch
        return AsyncStream { continuation in
            let thread = ThreadOfKeys(watch: watch, endsWithInput: endsWithInput, continuation)
            thread.begin()
        }
    }
}

/// Reads standard input on a thread of its own, for reading it blocks.
private struct ThreadOfKeys: Sendable {
    let watch: Bool
    let endsWithInput: Bool
    let continuation: AsyncStream<[UInt8]>.Continuation

    init(watch: Bool, endsWithInput: Bool, _ continuation: AsyncStream<[UInt8]>.Continuation) {
        self.watch = watch
        self.endsWithInput = endsWithInput
        self.continuation = continuation
    }

    func begin() {
        guard (try? WorkerThread(name: "keys") { read() }) != nil else {
            continuation.finish()
            return
        }
    }

    private func read() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
            guard count > 0 else {
                // A pipe that ends has said all; a watcher goes on watching.
                if !watch {
                    continuation.finish()
                }
                return
            }
            let typed = buffer[..<count]
            if !endsWithInput, let place = typed.firstIndex(of: Console.escape) {
                continuation.yield(Array(typed[..<place]))
                continuation.finish()
                return
            }
            if !watch {
                continuation.yield(Array(typed))
            }
        }
    }
}
