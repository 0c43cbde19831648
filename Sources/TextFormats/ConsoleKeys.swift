// SPDX-License-Identifier: Apache-2.0

/// What a user types on a console, with an escape key whose next key is a command: a state machine over the bytes that a
/// terminal in raw mode sends.
public struct ConsoleKeys: Sendable {
    public enum Event: Hashable, Sendable {
        /// Input for the guest.
        case input([UInt8])
        /// A magic SysRq command for the guest: this key after ^O, as on its hvc consoles.
        case sysRq(UInt8)
        case leave
        case showClients
        case sendBreak
        case help
    }

    private enum State {
        case text
        /// The escape key was typed.
        case escaped
        /// The escape key and `s` were typed.
        case sysRq
        case left
    }

    /// ^], as in telnet and virsh.
    public static let defaultEscape: UInt8 = 0x1d
    /// ^O, which begins a SysRq command on an hvc console (the kernel's hvc_console.c).
    private static let sysRqPrefix: UInt8 = 0x0f

    private let escape: UInt8?
    private var state = State.text

    /// Keys with that escape key; nil: all input is the guest's.
    public init(escape: UInt8? = defaultEscape) {
        self.escape = escape
    }

    /// Whether the escape key was typed and the next one decides. When there is none for a while, call `timedOut`.
    public var isUndecided: Bool { state == .escaped }

    /// The events of `bytes`. Nothing follows `leave`.
    public mutating func decode(_ bytes: some Sequence<UInt8>) -> [Event] {
        var events: [Event] = []
        var input: [UInt8] = []
        func flush() {
            if !input.isEmpty {
                events.append(.input(input))
                input = []
            }
        }
        for byte in bytes {
            switch state {
            case .text where byte == escape:
                state = .escaped
            case .text:
                input.append(byte)
            case .escaped where byte == escape || byte == UInt8(ascii: "]"):
                state = .text
                input.append(escape ?? byte)
            case .escaped:
                flush()
                command(byte).map { events.append($0) }
            case .sysRq:
                state = .text
                flush()
                events.append(.input([Self.sysRqPrefix, byte]))
                events.append(.sysRq(byte))
            case .left:
                break
            }
        }
        flush()
        return events
    }

    /// The command `byte` after the escape key. Any other key leaves the console too.
    private mutating func command(_ byte: UInt8) -> Event? {
        state = .text
        switch byte {
        case UInt8(ascii: "?"): return .help
        case UInt8(ascii: "w"): return .showClients
        case UInt8(ascii: "b"): return .sendBreak
        case UInt8(ascii: "s"):
            state = .sysRq
            return nil
        default:
            state = .left
            return .leave
        }
    }

    /// No key followed the escape key.
    public mutating func timedOut() -> Event {
        state = .left
        return .leave
    }

    // MARK: - Names of keys

    /// The control character that `word` names, as `^X` or `ctrl-x`; nil when it names none, or one that other keys send
    /// too: Enter, Tab, and the first character of the cursor keys.
    public static func key(_ word: String) -> UInt8? {
        let text = word.lowercased()
        guard let prefix = ["^", "ctrl-", "c-"].first(where: { text.hasPrefix($0) }) else {
            return nil
        }
        let rest = text.dropFirst(prefix.count).uppercased().utf8
        guard rest.count == 1, let letter = rest.first, (0x40...0x5f).contains(letter) else {
            return nil
        }
        let key = letter & 0x1f
        return [0x09, 0x0a, 0x0d, 0x1b].contains(key) ? nil : key
    }

    /// `key` as `^X`.
    public static func name(of key: UInt8) -> String {
        "^" + String(UnicodeScalar(key | 0x40))
    }
}
