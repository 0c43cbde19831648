// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@Suite(.blocking) struct SeverityTests {
    @Test(
        "names of syslog and of logging libraries are severities, in any case",
        arguments: [
            ("fatal", Severity.critical), ("FATAL", .critical), ("dpanic", .critical), ("crit", .critical),
            ("panic", .emergency), ("severe", .error), ("ERRO", .error), ("Error", .error), ("WARN", .warning),
            ("trace", .debug), ("verbose", .debug), ("3", .error),
        ]
    )
    func words(_ word: String, _ severity: Severity) {
        #expect(Severity(word: word) == severity)
    }

    @Test("other words are none", arguments: ["", "8", "errors", "ok", "-1"])
    func others(_ word: String) {
        #expect(Severity(word: word) == nil)
    }
}
