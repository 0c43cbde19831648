import ArgumentParser
import ControlAPI
import Glibc
import SystemIO

struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join a VM's console; ^] leaves.",
        discussion: """
            Everything goes on being logged. Several may watch, one writes. What is typed is not stored; what the guest \
            answers is. When the daemon is replaced or restarted, the console is joined again; what is typed meanwhile is \
            dropped. Input that does not come from a terminal is refused when it would not reach the guest; exit status 0 \
            says that all of it was handed to the console.
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

    @OptionGroup var paths: PathOptions

    /// ^], telnet's and virsh's way out.
    static let escape: UInt8 = 0x1d

    /// Microseconds for which a daemon that was started anew may not know the console yet.
    private static let discoveryTime: Int64 = 2_000_000

    func validate() throws {
        if watch, steal {
            throw ValidationError("--watch and --steal exclude each other")
        }
    }

    func run() async throws {
        let client = try paths.client()
        let mode = Terminal.makeRaw()
        do {
            try await stay(on: client, isInteractive: mode != nil)
        } catch {
            Terminal.restore(mode)
            throw error
        }
        Terminal.restore(mode)
        if mode != nil {
            Output.error("left \(Terminal.safe(vm))", prefix: "\n-- ")
        }
    }

    private func target(isInteractive: Bool) -> RequestTarget {
        var parameters = ["mode": [watch ? "watch" : steal ? "steal" : "write"]]
        parameters["stream"] = stream.map { [$0] }
        // What comes from a pipe is all there is: it reaches the guest, or is refused.
        parameters["strict"] = isInteractive || watch ? nil : ["1"]
        return RequestTarget(["v1", "vms", vm, "console"], parameters)
    }

    /// Is on the console until the input ends, joining again whenever the daemon went away.
    private func stay(on client: ControlClient, isInteractive: Bool) async throws {
        let target = target(isInteractive: isInteractive)
        let input = ConsoleInput(isTerminal: isInteractive, isDropped: watch)
        var reconnection = Reconnection()
        var isFirst = true
        while true {
            do {
                let onJoined = { @Sendable [vm, isFirst] in
                    input.join()
                    if isInteractive {
                        let words = isFirst ? "connected to \(Terminal.safe(vm)); ^] leaves" : "connected again"
                        Output.error(words + "\r", prefix: "-- ")
                    }
                }
                let end = try await client.console(target, input: input.begin(), onJoined: onJoined) { bytes in
                    try? Output.write(bytes)
                }
                guard case .closed(let words) = end else {
                    return
                }
                guard isInteractive || watch else {
                    throw APIError(503, "\(words) before all input was handed over")
                }
            } catch let error as ControlClient.Unreachable {
                guard !isFirst || input.isJoined else {
                    throw error
                }
            } catch let error as APIError where isInteractive || watch {
                // A daemon that has just been started may find the console in a moment.
                guard !isFirst, reconnection.lostFor < Self.discoveryTime else {
                    throw error
                }
            } catch  where input.isJoined && (isInteractive || watch) {
                // The connection broke.
            }
            if input.isJoined {
                isFirst = false
                reconnection.connected()
            }
            input.leave()
            if !reconnection.isLost {
                let words = "guestlog is being replaced or restarted; reconnecting; what is typed meanwhile is dropped"
                Output.error(words + (isInteractive ? "\r" : ""), prefix: isInteractive ? "\r\n-- " : "-- ")
            }
            guard await reconnection.wait() else {
                throw ControlClient.Unreachable(socket: client.socket, reason: "it did not come back within a minute")
            }
            if input.hasEnded {
                return
            }
        }
    }
}
