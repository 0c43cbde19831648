// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import RotatingFile

@Suite struct RotatedNameTests {
    private func sorted(_ names: [String]) -> [String] {
        names.compactMap { name in RotatedName(Array(name.utf8), live: "log".utf8).map { ($0, name) } }
            .sorted { $0.0 < $1.0 }.map(\.1)
    }

    @Test("the names of virtlogd, logrotate and the kubelet are ordered by age")
    func order() {
        #expect(sorted(["log", "log.0", "log.10", "log.2", "log.1"]) == ["log.10", "log.2", "log.1", "log.0", "log"])
        #expect(
            sorted(["log", "log-20261129", "log-20260901.gz", "log-20261128"])
                == ["log-20260901.gz", "log-20261128", "log-20261129", "log"]
        )
        #expect(
            sorted(["log.20261129-120001", "log", "log.20261129-115959.gz"])
                == ["log.20261129-115959.gz", "log.20261129-120001", "log"]
        )
        #expect(sorted(["log.1", "log.1.gz", "log.2.gz", "log"]) == ["log.2.gz", "log.1.gz", "log.1", "log"])
    }

    @Test(
        "other files beside the log are not part of it",
        arguments: [
            "lo", "log2", "logs", "log-sigTerm", "log.lock", "log.", "log-", "log-1", "log.1.gz.tmp", "log.gz", "x",
        ]
    )
    func others(name: String) {
        #expect(RotatedName(Array(name.utf8), live: "log".utf8) == nil)
        #expect(!RotatedName.isRotated("/logs/" + name, of: "/logs/log"))
    }

    @Test("a path is of a rotated file when its name is that of another with a number or a date")
    func paths() {
        #expect(RotatedName.isRotated("/logs/web.1", of: "/logs/web"))
        #expect(RotatedName.isRotated("/logs/web-20261129.gz", of: "/logs/web"))
        #expect(!RotatedName.isRotated("/logs/web", of: "/logs/web"))
        #expect(!RotatedName.isRotated("/logs/web-2", of: "/logs/web"))
    }
}
