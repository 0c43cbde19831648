// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The master side of a pseudo-terminal (pty(7)).
public struct PseudoTerminal: ~Copyable {
    public let master: Descriptor
    /// The path of the other side, which a program opens.
    public let path: String

    public init() throws(SystemError) {
        var path = [CChar](repeating: 0, count: 128)
        master = Descriptor(
            owning: try systemCall("open a pseudo-terminal") { gl_open_terminal(&path, path.count) }
        )
        self.path = path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    /// Sets the window's size; when it has changed, the programs on the terminal get SIGWINCH.
    public func setSize(_ size: TerminalSize) {
        var size = winsize(
            ws_row: UInt16(clamping: size.rows),
            ws_col: UInt16(clamping: size.columns),
            ws_xpixel: 0,
            ws_ypixel: 0
        )
        _ = gl_set_window_size(master.raw, &size)
    }

    /// The character that ends the input of a program that reads lines (VEOF); nil when the terminal passes all
    /// characters on (ICANON is off), or has no such character.
    public var endOfFile: UInt8? {
        var modes = termios()
        guard tcgetattr(master.raw, &modes) == 0, modes.c_lflag & tcflag_t(ICANON) != 0 else {
            return nil
        }
        let character = withUnsafeBytes(of: modes.c_cc) { $0[Int(VEOF)] }
        return character == 0 ? nil : character
    }

    /// Whether `process` or a descendant of it waits in a read of this terminal. False where the kernel does not show
    /// system calls (proc_pid_syscall(5)).
    public func isRead(by process: pid_t) -> Bool {
        let folder = "/proc/\(process)"
        return ProcFile.names(in: folder + "/task").contains { thread in
            let task = folder + "/task/" + thread
            // The number of the call, then its arguments: for read(2), a descriptor first.
            let call = ProcFile.text(task + "/syscall").split(separator: " ")
            if call.count > 1, call[0] == "\(gl_read_number())", let number = Int32(call[1].dropFirst(2), radix: 16),
                [path, "/dev/tty"].contains(ProcFile.target(ofLink: "\(folder)/fd/\(number)"))
            {
                return true
            }
            return ProcFile.text(task + "/children").split(separator: " ").contains { child in
                pid_t(child).map { isRead(by: $0) } ?? false
            }
        }
    }
}
