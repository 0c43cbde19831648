// SPDX-License-Identifier: Apache-2.0

/// Where the files of a console were read to their end.
struct ConsoleEnd {
    let mark: SourceMark
    let position: ReadPosition

    /// Tells the next reading of the console that nothing is missing, though the file is gone by then.
    func write() {
        _ = try? mark.write(position, isUrgent: true)
    }

    /// Whether it is the end of that file.
    func isOf(_ file: ConsoleFile) -> Bool { position.isOf(file.positionName) }
}

extension ConsoleFile {
    /// The name of the file in positions.
    var positionName: String { "console " + id }
}
