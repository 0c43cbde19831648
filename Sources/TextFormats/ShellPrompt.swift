// SPDX-License-Identifier: Apache-2.0

/// A line with a shell's prompt and the command that was typed at it.
public enum ShellPrompt {
    /// Whether `line` has a prompt's end, such as `# `, and text after it, or names a program that prints the kernel's
    /// messages.
    public static func isCommand(_ line: some Collection<UInt8>) -> Bool {
        let text = Array(line)
        let hasPrompt = text.indices.dropLast(2).contains { place in
            "#$%>".utf8.contains(text[place]) && text[place + 1] == UInt8(ascii: " ") && text[place + 2] > 0x20
        }
        return hasPrompt || contains("dmesg", in: text) || contains("journalctl", in: text)
    }

    /// Whether the console's line with the bytes `content` is the prompt of a Unix shell or of `login`, as displayed, also
    /// with a command after it.
    public static func isPrompt(displayed content: UnsafeRawBufferPointer) -> Bool {
        var text: [UInt8] = []
        // Few edits are in a prompt's row, and a guest may print any number of rows.
        DisplayedLine.append(content, color: false, work: 2 * content.count, to: &text)
        if ["login: ", "Password: "].contains(where: { text.reversed().starts(with: $0.utf8.reversed()) }) {
            return true
        }
        return text.indices.dropLast().contains { place in
            "#$".utf8.contains(text[place]) && text[place + 1] == UInt8(ascii: " ")
        }
    }

    private static func contains(_ word: String, in text: [UInt8]) -> Bool {
        text.indices.contains { text[$0...].starts(with: word.utf8) }
    }
}
