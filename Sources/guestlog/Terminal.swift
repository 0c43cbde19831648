import Glibc
import TextFormats

/// The terminal this process runs in.
enum Terminal {
    /// `text` without anything a terminal would act on.
    static func safe(_ text: String) -> String {
        String(decoding: TerminalEscaper.escape(Array(text.utf8), style: .field), as: UTF8.self)
    }

    /// Lets every key through as it is, until `restore`. Nil when standard input is no terminal.
    static func makeRaw() -> termios? {
        var mode = termios()
        guard tcgetattr(STDIN_FILENO, &mode) == 0 else {
            return nil
        }
        let before = mode
        cfmakeraw(&mode)
        tcsetattr(STDIN_FILENO, TCSANOW, &mode)
        return before
    }

    /// Gives the terminal back as it was: modes, colours, character set, cursor, screen; the guest may have changed
    /// them all.
    static func restore(_ mode: termios?) {
        guard var mode else {
            return
        }
        tcsetattr(STDIN_FILENO, TCSADRAIN, &mode)
        let reset =
            "\u{1b}[0m\u{1b}[?25h\u{1b}[?1l\u{1b}>\u{1b}(B\u{1b}[?1000l\u{1b}[?1002l\u{1b}[?1006l\u{1b}[?2004l\u{1b}[r"
        if isatty(STDOUT_FILENO) == 1 {
            try? Output.write(reset)
        }
    }
}
