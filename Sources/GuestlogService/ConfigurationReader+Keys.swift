// SPDX-License-Identifier: Apache-2.0

import TextFormats
import Yams

// Keys that a section does not have.
extension ConfigurationReader {
    /// The most keys that are listed where none is near an unknown one.
    private static let listedKeys = 8

    /// Reports each key that is not among `known`, and of which nothing else was reported, and suggests the nearest one of
    /// those that are not given.
    func allow(_ known: [String]) throws(ConfigurationError) {
        let others = known.filter { !contains($0) }
        let list = known.count > Self.listedKeys ? "" : "; its keys are \(known.sorted().joined(separator: ", "))"
        for (key, _) in mapping {
            let name = key.string ?? ""
            if !known.contains(name), !hasError(about: name) {
                let hint = NearestWord.to(name, among: others).map { "; did you mean \($0)?" } ?? list
                try fail(error(key, "unknown key \(self.name(of: name))\(hint)"))
            }
        }
    }
}
