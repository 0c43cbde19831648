// SPDX-License-Identifier: Apache-2.0

import Glibc
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing

private enum Logrotate {
    static let path: String? = ["/usr/sbin/logrotate", "/usr/bin/logrotate"].first { access($0, X_OK) == 0 }
}

@Suite(.blocking, .enabled(if: Logrotate.path != nil, "needs logrotate (package logrotate)"))
struct LogrotateTests {
    /// What logrotate is told.
    private static let settings = [
        "create", "nocreate", "copytruncate", "create\ncompress", "create\ncompress\ndelaycompress", "create\nstart 0",
    ]

    private func write(_ text: String, to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        #expect(file >= 0 && Glibc.write(file, text, text.utf8.count) == text.utf8.count)
        close(file)
    }

    @Test(
        "logs that logrotate rotates, truncates and compresses are read without a loss or a repetition",
        arguments: settings
    )
    func rotates(setting: String) throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/vm.log"
        let configuration = folder.path + "/conf"
        write("\(path) {\nrotate 4\nsize 1\n\(setting)\n}\n", to: configuration)
        chmod(configuration, 0o600)
        let reader = FollowedText(path)
        var written = ""
        for number in 0..<7 {
            for part in ["read", "not read"] {
                let text = String(repeating: "line \(number), \(part) before the rotation, and long enough\n", count: 3)
                write(text, to: path)
                written += text
                if part == "read" {
                    reader.read()
                }
            }
            let command = [try #require(Logrotate.path), "-f", "-s", folder.path + "/state", configuration]
            let outcome = try ChildProgram.run(command, limit: 60)
            #expect(outcome.status == 0)
            reader.read()
        }
        write("end\n", to: path)
        reader.read()
        #expect(reader.text == written + "end\n")
        #expect(reader.gaps.isEmpty, "\(reader.gaps)")
    }
}
