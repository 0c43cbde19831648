import ArgumentParser
import LogModel
import Query

/// How times are shown: by the clocks here, as in journalctl.
struct TimeOptions: ParsableArguments {
    @Flag(help: "Times in UTC, not by the clocks here.")
    var utc = false

    /// An RFC 3339 time of the API's as a table has it, to the second; `-` when there is none.
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
