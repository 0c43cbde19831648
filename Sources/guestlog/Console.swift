// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import Glibc
import SystemIO

struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join a VM's console; ^] leaves it.",
        discussion: """
            The console stays captured. Several clients may watch, one writes. Input is not stored; the guest's output \
            is. When the daemon is replaced or restarted, the console is joined again; input in the meantime is \
            dropped. Input from a pipe or file is refused when it would not reach the guest; exit status 0 \
            means that all of it was passed to the console.
            """
    )

    @Argument(help: "The VM: name or UUID.")
    var vm: String

    @Flag(help: "Watch only.")
    var watch = false

    @Flag(help: "Take the right to write from the current writer.")
    var steal = false

    @Option(name: .shortAndLong, help: ArgumentHelp("The console's stream.", valueName: "stream"))
    var stream: String?

    @OptionGroup var paths: PathOptions

    /// ^], as in telnet and virsh.
    static let escape: UInt8 = 0x1d

    /// Microseconds for which a newly started daemon may not have found the console yet.
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
        // Piped input is complete: it reaches the guest, or is refused.
        parameters["strict"] = isInteractive || watch ? nil : ["1"]
        return RequestTarget(["v1", "vms", vm, "console"], parameters)
    }

    /// Stays on the console until the input ends; rejoins whenever the daemon went away.
    private func stay(on client: APIClient, isInteractive: Bool) async throws {
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
                let onNotice = { @Sendable (notice: String) in
                    let (prefix, end) = isInteractive ? ("\r\n-- ", "\r") : ("-- ", "")
                    Output.error(Terminal.safe(notice) + end, prefix: prefix)
                }
                let end = try await client.console(
                    target,
                    input: input.begin(),
                    onJoined: onJoined,
                    onNotice: onNotice
                ) { bytes in
                    try? Output.write(bytes)
                }
                guard case .closed(let words) = end else {
                    return
                }
                guard isInteractive || watch else {
                    throw APIError(503, "\(words) before all input was passed on")
                }
            } catch let error as APIClient.Unreachable {
                guard !isFirst || input.isJoined else {
                    throw error
                }
            } catch let error as APIError where isInteractive || watch {
                // A daemon that has just started may find the console shortly.
                guard !isFirst, reconnection.lostFor < Self.discoveryTime else {
                    throw error
                }
            } catch  where input.isJoined && (isInteractive || watch) {
                // The connection was lost.
            }
            if input.isJoined {
                isFirst = false
                reconnection.connected()
            }
            input.leave()
            if !reconnection.isLost {
                let words = "guestlog is being replaced or restarted; reconnecting; input is dropped until then"
                Output.error(words + (isInteractive ? "\r" : ""), prefix: isInteractive ? "\r\n-- " : "-- ")
            }
            guard await reconnection.wait() else {
                throw APIClient.Unreachable(socket: client.socket, reason: "no reconnection within a minute")
            }
            if input.hasEnded {
                return
            }
        }
    }
}
