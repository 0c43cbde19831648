// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import HTTPAPI
import LogModel
import SystemIO
import TextFormats

struct Console: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "console",
        abstract: "Join a VM's console; ^] leaves it.",
        discussion: """
            The console stays captured. Several clients may watch, one writes. Input is not stored; the guest's output \
            is. When the daemon is replaced or restarted, the console is joined again; input in the meantime is \
            dropped. The escape key leaves, unless another key follows within a second: ? lists them; typed twice, the \
            escape key is sent. Input from a pipe or file is refused when it would not reach the guest; exit status 0 \
            means that all of it was passed to the console.
            """
    )

    @Argument(help: VMHelp.one, completion: Completions.vms)
    var vm: String

    @Flag(help: "Watch only.")
    var watch = false

    @Flag(help: "Take the right to write from the current writer.")
    var steal = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The console's stream.", valueName: "stream"),
        completion: Completions.streams
    )
    var stream: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("The escape key, as ^A or ctrl-a; none: all keys are the guest's.", valueName: "key")
    )
    var escape = "^]"

    @OptionGroup var paths: PathOptions

    /// Microseconds for which a newly started daemon may not have found the console yet.
    private static let discoveryTime: Int64 = 2_000_000

    func validate() throws {
        if watch, steal {
            throw ValidationError("--watch and --steal cannot be combined")
        }
        if escape != "none", ConsoleKeys.key(escape) == nil {
            throw ValidationError(
                "--escape \(Terminal.safe(escape)): must be a control character such as ^A, not one that Enter, Tab or a "
                    + "cursor key sends, or none"
            )
        }
    }

    func run() async throws {
        let client = try await paths.client()
        let terminal = TerminalDevice(STDIN_FILENO)
        terminal?.restoreAtSignals()
        let modes = terminal?.makeRaw()
        if watch, terminal == nil {
            Output.endWithReader()
        }
        let restore = {
            if let modes {
                terminal?.restore(modes)
            }
        }
        do {
            try await stay(on: client, isInteractive: terminal != nil)
        } catch {
            restore()
            throw error
        }
        restore()
        if terminal != nil {
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

    /// The input of this session, and the answers to its command keys.
    private func input(on client: APIClient, _ screen: ConsoleScreen, isInteractive: Bool) -> ConsoleInput {
        let clients = ConsoleClients(client: client, vm: vm, stream: stream)
        let keys = isInteractive ? ConsoleKeys(escape: screen.escape) : nil
        return ConsoleInput(keys: keys, isDropped: watch) { command in
            guard command == .showClients else {
                return screen.answer(command)
            }
            Task { screen.showNotice(await clients.description) }
        }
    }

    /// Stays on the console until the input ends; rejoins whenever the daemon went away.
    private func stay(on client: APIClient, isInteractive: Bool) async throws {
        let target = target(isInteractive: isInteractive)
        let screen = ConsoleScreen(vm: vm, escape: ConsoleKeys.key(escape), isInteractive: isInteractive)
        defer { screen.finish() }
        let input = input(on: client, screen, isInteractive: isInteractive)
        var reconnection = Reconnection()
        var isFirst = true
        while true {
            do {
                let onJoined = { @Sendable [isFirst] in
                    input.join()
                    // Of a session that passes piped input on, the output is the guest's answer.
                    let showsEarlier = isFirst && (isInteractive || watch)
                    screen.joined(isFirst: isFirst, showsEarlier: showsEarlier)
                    if showsEarlier {
                        Task { screen.showEarlier(await earlier(on: client)) }
                    }
                }
                let end = try await client.console(
                    target,
                    input: input.begin(),
                    onJoined: onJoined,
                    onNotice: { screen.showNotice(Terminal.safe($0)) },
                    screen.show
                )
                guard case .closed(let words) = end else {
                    return
                }
                guard isInteractive || watch else {
                    throw APIError(503, "not all input was passed on: \(words)")
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
                let reason = "the session has ended, or guestlog is being replaced or restarted"
                screen.showNotice("\(reason); reconnecting; input is dropped until then")
            }
            guard await reconnection.wait() else {
                throw APIClient.Unreachable(socket: client.socket, reason: "no reconnection within a minute")
            }
            if input.hasEnded {
                return
            }
        }
    }

    /// Seconds for which live output waits for the end of the log.
    private static let earlierTime = 2

    /// The last lines of the console's log; empty when they cannot be read in time.
    private func earlier(on client: APIClient) async -> [UInt8] {
        let rows = TerminalDevice(STDOUT_FILENO)?.size?.rows ?? 0
        var parameters = ["vm": [vm], "tail": [String(max(2, (rows > 0 ? rows : 24) - 2))]]
        parameters["stream"] = [stream ?? StreamName.console0.text]
        parameters["markers"] = [Output.isTerminal ? "1" : "0"]
        let target = RequestTarget(["v1", "logs"], parameters)
        return await withTaskGroup(of: [UInt8].self) { tasks in
            tasks.addTask {
                var text: [UInt8] = []
                _ = try? await client.stream(target) { text += $0 }
                return text
            }
            tasks.addTask {
                try? await Task.sleep(for: .seconds(Self.earlierTime))
                return []
            }
            defer { tasks.cancelAll() }
            return await tasks.next() ?? []
        }
    }
}

/// The clients of one console.
struct ConsoleClients {
    let client: APIClient
    /// The VM, as the session was requested.
    let vm: String
    let stream: String?

    /// Who is on the console, and who of them writes.
    var description: String {
        get async {
            do {
                let vms = try await client.get(RequestTarget(["v1", "vms"]))["vms"]?.elements ?? []
                return Self.description(of: vm, stream, in: vms)
            } catch {
                return Terminal.safe("\(error)")
            }
        }
    }

    /// The same in the daemon's list of VMs.
    static func description(of vm: String, _ stream: String?, in vms: [JSON]) -> String {
        // A session is joined among VMs that have a console.
        let joinable = vms.filter { $0["consoles"]?.elements?.isEmpty == false }
        let consoles = ((try? VMRow.matches([vm], in: joinable)) ?? []).flatMap { $0["consoles"]?.elements ?? [] }
        let name = stream ?? StreamName.console0.text
        guard let console = consoles.first(where: { $0["stream"]?.text == name }) else {
            return "the console is no longer captured"
        }
        let writer = console["writer"]?.text
        let clients = (console["clients"]?.elements ?? []).compactMap(\.text)
        let shown = clients.map { Terminal.safe($0) + ($0 == writer ? " (writes)" : "") }
        return "on this console: " + shown.joined(separator: ", ")
    }
}
