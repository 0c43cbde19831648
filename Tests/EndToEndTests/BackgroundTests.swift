// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

extension FaultTests {
    /// `virtlogd --daemon`, as init scripts start it.
    @Suite struct BackgroundTests {
        private let folder = TemporaryFolder()
        private let memory = TemporaryFolder(parent: "/dev/shm")

        init() {
            FileText.write("store: \(folder.path)/store\nruntime: \(memory.path)\n", to: configuration)
            mkdir(memory.path + "/libvirt", 0o755)
        }

        private var configuration: String { folder.path + "/guestlog.yaml" }
        private var processFile: String { folder.path + "/pid" }
        private var socket: String { memory.path + "/log-sock" }
        private var command: String {
            "'\(Program.guestlog)' virtlogd --daemon --socket \(socket) --pid-file \(processFile)"
        }

        private func shell(_ script: String) -> ChildProcess {
            let environment = ["GUESTLOG_CONFIG": configuration, "XDG_RUNTIME_DIR": memory.path]
            return ChildProcess(["sh", "-c", script], name: "shell", in: folder.path, environment: environment)
        }

        /// The daemon, which is no child of the test; nil when none runs.
        private var process: pid_t? {
            FileText.text(processFile).split(separator: "\n").first.flatMap { pid_t($0) }
        }

        private func stop() {
            if let process {
                kill(process, SIGTERM)
            }
            // It removes the file when it has ended its logs.
            #expect(eventually { access(processFile, F_OK) != 0 })
        }

        @Test("it serves when the command returns, whose output has ended; what keeps it from beginning is reported")
        func begins() throws {
            let check = "status=$?; test -S \(socket) && echo \"$status listens\""
            let second = "said=$(\(command) 2>&1); echo \"$?\"; echo \"$said\""
            let child = shell("said=$(\(command) 2>&1); \(check); \(second)")
            defer { stop() }
            #expect(child.wait() == 0)
            let lines = child.text.split(separator: "\n")
            try #require(lines.count > 2, "\(child.text)")
            #expect(lines[0] == "0 listens" && lines[1] == "3", "\(child.text)")
            #expect(lines[2...].contains { $0.contains("in use by process") }, "\(child.text)")
        }

        @Test(
            "a store whose disk does not respond does not keep the command, and so the host's start, from returning",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
        )
        func hungStore() {
            let mount = FuseMount()
            defer { mount.end() }
            FileText.write("store: \(mount.folder.path)/store\nruntime: \(memory.path)\n", to: configuration)
            mount.hang()
            #expect(shell("timeout 40 \(command)").wait() == 0)
            #expect(process != nil)
            mount.resume()
            stop()
        }

        @Test("a log daemon in the background that is replaced keeps its process, and its messages go to the same file")
        func replaced() throws {
            let messages = folder.path + "/messages"
            #expect(shell("\(command) 2>>\(messages)").wait() == 0)
            defer { stop() }
            let before = try #require(process)
            func starts() -> Int {
                FileText.text(messages).split(separator: "\n").count { $0.contains("log daemon at") }
            }
            #expect(eventually { starts() == 1 })
            kill(before, SIGUSR1)
            #expect(eventually { starts() == 2 })
            #expect(process == before)
        }
    }
}
