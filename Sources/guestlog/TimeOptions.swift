// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import LogStore
import Query
import SystemIO
import TextFormats

/// How times are read, and how they are shown: in local time, as in journalctl, or in UTC.
struct TimeOptions: ParsableArguments {
    @Flag(help: "Show times in UTC instead of local time.")
    var utc = false

    /// The first moment of the time `word`, given for `name`.
    func beginning(_ name: String, _ word: String, now: Timestamp) throws -> Timestamp {
        let time = try RequestWords.time(name, word, now: now)
        explain(time, name, word, use: "first", time.first)
        return time.first
    }

    /// The last moment of the time `word`, given for `name`.
    func end(_ name: String, _ word: String, now: Timestamp) throws -> Timestamp {
        let time = try RequestWords.time(name, word, now: now)
        explain(time, name, word, use: "second", time.last)
        return time.last
    }

    /// Reports which of two moments is used, where local clocks show a time twice.
    private func explain(_ time: WrittenTime, _ name: String, _ word: String, use: String, _ moment: Timestamp) {
        if time.isRepeated {
            let cause = "'\(Terminal.safe(word))' is ambiguous, because clocks were set back"
            Output.error("\(name): \(cause): using the \(use); add an offset (such as \(moment)) to choose")
        }
    }

    /// An RFC 3339 time of the API for a table, to the second; `-` when there is none.
    func cell(_ text: String?) -> String {
        let now = presentMoment()
        guard let text, let moment = try? TimeWords.parse(text, now: now, zone: .utc).first else {
            return "-"
        }
        var writer = utc ? LocalTimeWriter.utc : LocalTimeWriter()
        var stamp: [UInt8] = []
        writer.appendRFC3339(moment, to: &stamp)
        return String(decoding: stamp.prefix(19), as: UTF8.self).replacing("T", with: " ") + (utc ? "Z" : "")
    }
}

/// The moment a command begins.
func presentMoment() -> Timestamp {
    SystemClock().now
}
