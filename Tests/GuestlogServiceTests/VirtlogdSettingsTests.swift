// SPDX-License-Identifier: Apache-2.0

import GuestlogService
import RotatingFile
import TestTraits
import Testing

/// virtlogd.conf, as in libvirt's package and as people write it.
@Suite(.blocking) struct VirtlogdSettingsTests {
    private func settings(_ text: String) throws(ConfigurationError) -> VirtlogdSettings {
        try VirtlogdSettings(file: "virtlogd.conf", text: text)
    }

    @Test("comments and unknown names are ignored; settings are read")
    func reads() throws {
        #expect(try settings("") == VirtlogdSettings())
        let text = """
            # Maximum file size before rolling over. Defaults to 2 MB
            #max_size = 2097152
            \tmax_size=1048576 # a megabyte
            max_backups = 32\r
            max_clients = 10
            log_outputs = "3:syslog:virtlogd 1:file:/a#b"
            log_filters = [ "a", "b" ]

            """
        let read = try settings(text)
        #expect(read.limits == RotationLimits(size: 1_048_576, backups: 32))
        #expect(read.clients == 10)
        #expect(try settings("max_size = 0").limits.size == 0)
    }

    @Test(
        "an invalid value is reported with its file and line",
        arguments: ["max_backups = 33", "max_size = -1", "max_size = 2M", "max_clients = 0", "max_size", "max_size ="]
    )
    func refuses(line: String) {
        #expect {
            try settings("# one\n" + line)
        } throws: { error in
            "\(error)".hasPrefix("virtlogd.conf:2: max_") || "\(error)".hasPrefix("virtlogd.conf:2: 'max_")
        }
    }
}
