// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import Query
import TextFormats

/// How times are shown: in local time, as in journalctl, or in UTC.
struct TimeOptions: ParsableArguments {
    @Flag(help: "Show times in UTC instead of local time.")
    var utc = false

    /// An RFC 3339 time of the API for a table, to the second; `-` when there is none.
    func words(_ text: String?) -> String {
        let now = presentMoment()
        guard let text, let moment = try? TimeWords.parse(text, now: now, zone: .utc) else {
            return "-"
        }
        var writer = utc ? LocalTimeWriter.utc : LocalTimeWriter()
        var stamp: [UInt8] = []
        writer.appendRFC3339(moment, to: &stamp)
        return String(decoding: stamp.prefix(19), as: UTF8.self).replacing("T", with: " ")
    }
}
