// SPDX-License-Identifier: Apache-2.0

/// Stream readers used by one thread, which share memory and a limit of open files: so many streams can be read at
/// once.
public final class ReaderGroup {
    let memory = BlockMemory()
    /// The readers that may have open files, those used last at the end.
    private var recent: [Member] = []

    private struct Member {
        weak var reader: StreamReader?
    }

    /// Maximum number of readers with open files.
    private static let openReaders = 64

    public init() {}

    /// Notes that `reader` uses files; closes those of the reader that was not used for longest, if there are too
    /// many.
    func use(_ reader: StreamReader) {
        guard recent.last?.reader !== reader else {
            return
        }
        recent.removeAll { $0.reader == nil || $0.reader === reader }
        if recent.count >= Self.openReaders {
            recent.removeFirst().reader?.closeFiles()
        }
        recent.append(Member(reader: reader))
    }
}
