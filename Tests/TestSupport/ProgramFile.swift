// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// A script that a test executes.
public enum ProgramFile {
    /// Makes an executable file at `path` with the contents `text`.
    ///
    /// By a child: of a file that this process writes, a child that another test is starting may have a copy of the
    /// descriptor, and until its exec the file cannot be executed (ETXTBSY).
    public static func write(_ text: String, to path: String) throws {
        let script = #"printf %s "$1" >"$2" && chmod 755 "$2""#
        let writing = try ChildProgram.run(["sh", "-c", script, "sh", text, path])
        precondition(writing.status == 0, "cannot write \(path)")
    }
}
