// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

private enum ContainerRuntime {
    static let path: String? = ["/usr/sbin/runc", "/usr/bin/runc"].first { access($0, X_OK) == 0 }
}

extension EndToEnd {
    /// `virt-tail` in a container, restricted as in a KubeVirt pod.
    @Suite(
        .serialized,
        .enabled(
            if: ContainerRuntime.path != nil && geteuid() == 0,
            "needs root and runc (package runc)"
        )
    )
    struct ContainerTests {
        /// A bundle of the container runtime. The container sees the host's libraries, the program and the log's folder
        /// read-only.
        private func makeBundle(_ folder: String, log: String, options: [String]) {
            for name in ["usr", "proc", "dev", "log", "program", "opt"] {
                mkdir("\(folder)/rootfs", 0o755)
                mkdir("\(folder)/rootfs/\(name)", 0o755)
            }
            symlink("usr/lib", folder + "/rootfs/lib")
            symlink("usr/lib64", folder + "/rootfs/lib64")
            let (logFolder, logName) = DirectoryHandle.split(log)
            let program = DirectoryHandle.split(Program.built("virt-tail")).directory
            let binds = [("/usr", "/usr"), ("/opt", "/opt"), ("/log", logFolder), ("/program", program)].map {
                #"{"destination":"\#($0.0)","type":"bind","source":"\#($0.1)","options":["rbind","ro"]}"#
            }
            let arguments = (["/program/virt-tail", "--logfile", "/log/" + logName] + options).map { "\"\($0)\"" }
            FileText.write(
                """
                {"ociVersion":"1.0.0","root":{"path":"rootfs","readonly":true},
                "process":{"user":{"uid":107,"gid":107},"args":[\(arguments.joined(separator: ","))],
                "env":["PATH=/usr/bin"],"cwd":"/","noNewPrivileges":true,
                "capabilities":{"bounding":[],"effective":[],"permitted":[]}},
                "mounts":[{"destination":"/proc","type":"proc","source":"proc"},
                {"destination":"/dev","type":"tmpfs","source":"tmpfs"},\(binds.joined(separator: ","))],
                "linux":{"resources":{"memory":{"limit":60000000}},
                "namespaces":[{"type":"pid"},{"type":"mount"},{"type":"ipc"},{"type":"network"}]}}

                """,
                to: folder + "/config.json"
            )
        }

        @Test("without privileges, as user 107, it follows a real guest and ends with 0 on SIGTERM")
        func container() throws {
            let folder = TemporaryFolder()
            chmod(folder.path, 0o755)
            let guest = Guest("web", chardev: .null, in: folder.path)
            let log = folder.path + "/web.said"
            makeBundle(folder.path, log: log, options: ["-v", "3"])
            let name = "guestlog-test-\(getpid())"
            let runtime = try #require(ContainerRuntime.path)
            let container = ChildProcess([runtime, "run", "-b", folder.path, name], name: "tail", in: folder.path)
            #expect(
                eventually { container.text.contains("Linux version") },
                "\(container.standardError)"
            )
            let signal = ChildProcess([runtime, "kill", name, "TERM"], name: "kill", in: folder.path)
            #expect(container.wait() == 0, "\(container.standardError)")
            #expect(signal.wait() == 0)
            let shown = container.output
            #expect(!shown.isEmpty && FileText.bytes(log).starts(with: shown))
            guest.stop()
            rmdir(folder.path + "/rootfs")
        }
    }
}
