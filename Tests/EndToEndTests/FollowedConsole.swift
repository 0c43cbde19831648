// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

/// A log and the program that follows it.
final class FollowedConsole {
    let folder = TemporaryFolder()
    let log: String
    private var started: ChildProcess?
    private var starts = 0

    init() {
        log = folder.path + "/virt-serial0-log"
    }

    /// The program that was started last.
    var tail: ChildProcess {
        guard let started else {
            preconditionFailure("no program was started")
        }
        return started
    }

    var state: String { folder.path + "/state" }
    var socket: String { folder.path + "/virt-serial0" }

    /// Starts the program, with `wrapper` before it.
    @discardableResult
    func start(_ options: [String] = [], wrapper: [String] = [], log path: String? = nil) -> FollowedConsole {
        starts += 1
        let command = wrapper + [Program.built("virt-tail"), "--logfile", path ?? log] + options
        started = ChildProcess(command, name: "tail-\(starts)", in: folder.path)
        return self
    }

    func write(_ bytes: [UInt8], to path: String? = nil) {
        let file = open(path ?? log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        #expect(file >= 0 && Glibc.write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    func write(_ text: String) {
        write(Array(text.utf8))
    }

    /// Renames as virtlogd does.
    func rotate() {
        for number in [1, 0] {
            rename("\(log).\(number)", "\(log).\(number + 1)")
        }
        rename(log, log + ".0")
        write("")
    }

    func shows(_ text: String) -> Bool {
        eventually { tail.text == text }
    }

    /// Ends the program; its exit status, and how long it took in seconds.
    func stop(_ signal: Int32 = SIGTERM) -> (status: Int32, seconds: Double) {
        let clock = SystemClock()
        let start = clock.monotonicMicroseconds()
        let status = tail.stop(signal)
        return (status, Double(clock.monotonicMicroseconds() - start) / 1e6)
    }

    var memory: Int {
        let status = FileText.procText("/proc/\(tail.process)/status")
        return status.firstMatch(of: #/VmHWM:\s+(\d+)/#).flatMap { Int($0.1) } ?? 0
    }
}
