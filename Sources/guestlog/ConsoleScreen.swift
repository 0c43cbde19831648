// SPDX-License-Identifier: Apache-2.0

import HTTPAPI
import LogModel
import Synchronization
import SystemIO
import TextFormats

/// What `guestlog console` shows beside the guest's output, on a terminal in raw mode or elsewhere.
///
/// Live output that arrives before the end of the log is shown is held back, so that the two are in order.
final class ConsoleScreen: Sendable {
    let vm: String
    /// The escape key; nil: there is none.
    let escape: UInt8?
    private let isInteractive: Bool
    private let state = Mutex(State())

    private struct State {
        var isHeldBack = false
        var heldBack: [UInt8] = []
        var isFinished = false
    }

    init(vm: String, escape: UInt8?, isInteractive: Bool) {
        self.vm = Terminal.safe(vm)
        self.escape = escape
        self.isInteractive = isInteractive
    }

    /// Prints the guest's output.
    func show(_ output: [UInt8]) {
        state.withLock { state in
            if state.isHeldBack {
                state.heldBack += output
            } else {
                try? Output.write(output)
            }
        }
    }

    /// Prints a line of Guestlog's on standard error.
    func showNotice(_ line: String) {
        let (prefix, end) = isInteractive ? ("\r\n-- ", "\r") : ("-- ", "")
        Output.error(line + end, prefix: prefix)
    }

    /// The session has begun: output is held back until `showEarlier`, when `showsEarlier` is set.
    func joined(isFirst: Bool, showsEarlier: Bool) {
        if showsEarlier {
            state.withLock { $0.isHeldBack = true }
        }
        guard isInteractive else {
            return
        }
        let keys = escape.map(ConsoleKeys.name).map { "\($0) leaves, \($0) ? shows more keys" } ?? "no key leaves"
        Output.error((isFirst ? "connected to \(vm); \(keys)" : "connected again") + "\r", prefix: "-- ")
    }

    /// Prints the last lines of the log, as `logs` shows them, then the output since.
    func showEarlier(_ text: [UInt8]) {
        state.withLock { state in
            guard !state.isFinished else {
                return
            }
            if !text.isEmpty {
                Output.error("the end of its log:" + (isInteractive ? "\r" : ""), prefix: "-- ")
                try? Output.write(isInteractive && Output.isTerminal ? Self.onTerminal(text) : text)
            }
            release(&state)
        }
    }

    /// Lines for a terminal in raw mode. The last one is a prompt, unless more follows it.
    private static func onTerminal(_ text: [UInt8]) -> [UInt8] {
        var lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        if lines.last?.isEmpty ?? false {
            lines.removeLast()
        }
        return Array(lines.joined(separator: [UInt8(ascii: "\r"), UInt8(ascii: "\n")]))
    }

    /// Prints what is still held back: the session has ended.
    func finish() {
        state.withLock { state in
            state.isFinished = true
            release(&state)
        }
    }

    private func release(_ state: inout State) {
        state.isHeldBack = false
        try? Output.write(state.heldBack)
        state.heldBack = []
    }

    /// Answers a command key.
    func answer(_ command: ConsoleKeys.Event) {
        switch command {
        case .help:
            let key = escape.map(ConsoleKeys.name) ?? ""
            for line in [
                "keys after \(key):",
                "  .       leave, as does any other key, and \(key) without another key",
                "  ]       send \(key), as does \(key) again",
                "  s KEY   send the magic SysRq command KEY, as ^O KEY, to an hvc console",
                "  b       about BREAK",
                "  w       list the clients of this console",
                "  ?       this list",
            ] {
                Output.error(line + "\r", prefix: line.hasPrefix("keys") ? "\r\n-- " : "-- ")
            }
        case .sysRq(let key):
            let name = Terminal.safe(String(decoding: [key], as: UTF8.self))
            showNotice("sent ^O \(name): SysRq on an hvc console (virtio, Xen, POWER); a serial port requires BREAK")
        case .sendBreak:
            showNotice("a console's socket carries no BREAK; with QEMU, use the monitor's chardev-send-break")
        case .input, .leave, .showClients:
            break
        }
    }
}
