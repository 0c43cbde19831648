// SPDX-License-Identifier: Apache-2.0

/// Detects threads of this process in uninterruptible sleep (state D, proc(5)), as in a call to a file system that
/// hangs. An exec, and the process's end, would have to wait for them.
public enum StuckThreads {
    /// The interval between checks, in microseconds.
    private static let interval: UInt32 = 5000

    public static func awaitNone() {
        while isAny {
            WorkerThread.pause(microseconds: interval)
        }
    }

    /// Whether there is one now.
    static var isAny: Bool {
        let folder = "/proc/self/task"
        return ProcFile.names(in: folder).contains { ProcFile.statFields(folder + "/\($0)/stat").first == "D" }
    }
}
