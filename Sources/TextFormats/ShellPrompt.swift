// SPDX-License-Identifier: Apache-2.0

/// A line with a shell's prompt and the command that was typed at it.
public enum ShellPrompt {
    /// Whether `line` has a prompt's end, such as `# `, and text after it, or names a program that prints the kernel's
    /// messages.
    public static func isCommand(_ line: some Collection<UInt8>) -> Bool {
        let text = Array(line)
        return hasPrompt(of: "#$%>", with: text) || contains("dmesg", in: text) || contains("journalctl", in: text)
    }

    /// Whether `line` is certainly a command at the prompt of a Unix shell or of `crash`: other programs print lines with the
    /// ends of the other prompts, such as `>> OpenBSD/amd64`.
    public static func isCertainCommand(_ line: some Collection<UInt8>) -> Bool {
        let text = Array(line)
        return hasPrompt(of: "#$", with: text) || text.starts(with: "crash> ".utf8)
    }

    /// Whether `text` has the end of a prompt, one of `ends` and a blank, and text after it that is not the kernel's.
    private static func hasPrompt(of ends: String, with text: [UInt8]) -> Bool {
        text.indices.dropLast(2).contains { index in
            ends.utf8.contains(text[index]) && text[index + 1] == UInt8(ascii: " ") && text[index + 2] > 0x20
                && text[(index + 2)...].withUnsafeBytes { BootLine($0).stamp == nil }
        }
    }

    /// What asks for input.
    public enum Prompt: Sendable {
        /// `login` asks for a name or a password.
        case login
        /// A Unix shell asks for a command, or `crash`, which prints kernels' logs.
        case command
    }

    /// The prompt that the console's row with the bytes `content` has as displayed, also with a command after it.
    public static func prompt(displayed content: UnsafeRawBufferPointer) -> Prompt? {
        let text = displayed(content)
        if text.ends(with: "login: ") || text.ends(with: "Password: ") {
            return .login
        }
        let isCommand = text.indices.dropLast().contains { index in
            "#$".utf8.contains(text[index]) && text[index + 1] == UInt8(ascii: " ")
        }
        return isCommand || text.ends(with: "crash> ") ? .command : nil
    }

    /// Whether the row with the bytes `content` shows that a system runs, as displayed: it asks for a login, or ends with a
    /// shell's prompt that names a user or a folder. Boot loaders have prompts too: `hisilicon # `.
    public static func showsSystem(displayed content: UnsafeRawBufferPointer) -> Bool {
        let text = displayed(content)
        return text.ends(with: "login: ")
            || (text.ends(with: "# ") || text.ends(with: "$ ")) && text.contains { "@~/".utf8.contains($0) }
    }

    /// Whether the row with the bytes `content` ends with the question for a user's name, as displayed.
    public static func asksForLogin(displayed content: UnsafeRawBufferPointer) -> Bool {
        displayed(content).ends(with: "login: ")
    }

    /// The row's text. Few edits are in a prompt's row, and a guest may print any number of rows.
    private static func displayed(_ content: UnsafeRawBufferPointer) -> [UInt8] {
        var text: [UInt8] = []
        DisplayedLine.append(content, color: false, work: 2 * content.count, to: &text)
        return text
    }

    /// Whether `bytes`, which precede a line on its row, are a pager's: its prompt, or sequences that exchange or move the
    /// screen, which no kernel prints.
    public static func isPager(_ bytes: some Collection<UInt8>) -> Bool {
        let text = Array(bytes)
        let prompts = ["(END)", "--More--", ":\u{1b}[K", "Press RETURN to continue"]
        let movements = ["\u{1b}[?1049h", "\u{1b}[?47h", "\u{1b}M", "\u{1b}[L"]
        return (prompts + movements).contains { contains($0, in: text) }
    }

    private static func contains(_ word: String, in text: [UInt8]) -> Bool {
        text.indices.contains { text[$0...].starts(with: word.utf8) }
    }
}

extension Array where Element == UInt8 {
    fileprivate func ends(with words: String) -> Bool { suffix(words.utf8.count).elementsEqual(words.utf8) }
}
