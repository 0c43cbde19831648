// SPDX-License-Identifier: Apache-2.0

/// The order in which the files of one console are read: one after another, each to its end, however they come and go.
/// Without I/O.
struct ConsoleFileOrder {
    private(set) var current: ConsoleFile?
    private var following: [ConsoleFile] = []
    /// Those before the current one: not to be read again, though their folders may still be there.
    private var finished: Set<String> = []
    private var isCurrentGone = false

    /// Begins with the files that there are, the oldest first: with the one for which `wasRead`, because its text is the
    /// last that the store has, else with the oldest. Returns whether it is that one.
    mutating func begin(_ files: [ConsoleFile], wasRead: (ConsoleFile) -> Bool) -> Bool {
        let known = files.lastIndex(where: wasRead)
        let first = known ?? 0
        finished = Set(files.prefix(first).map(\.id))
        current = files.dropFirst(first).first
        following = Array(files.dropFirst(first + 1))
        return known != nil
    }

    /// The files that there are now. The current one is read to its end even when it is not among them.
    mutating func update(_ files: [ConsoleFile]) {
        isCurrentGone = current.map { current in !files.contains { $0.id == current.id } } ?? true
        following = files.filter { $0.id != current?.id && !finished.contains($0.id) }
        // What is gone does not come back.
        finished.formIntersection(files.map(\.id))
    }

    /// The current file is at its end: the next one is the current one, if there is any. A machine has one file at a
    /// time, so that nothing is added to the earlier one any more. Returns whether there was one.
    mutating func next() -> Bool {
        guard !following.isEmpty else {
            return false
        }
        if let current, !isCurrentGone {
            finished.insert(current.id)
        }
        current = following.removeFirst()
        isCurrentGone = false
        return true
    }

    /// Whether, at the end of the current file, nothing will follow.
    var isComplete: Bool { isCurrentGone && following.isEmpty }
}
