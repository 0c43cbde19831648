// SPDX-License-Identifier: Apache-2.0

import HTTPAPI

extension NovaOptions {
    /// Parses the section `openstack`.
    init(_ section: ConfigurationReader) throws(ConfigurationError) {
        self.init()
        try section.allow(["console-url", "console-life", "console-output"])
        if let address = try section.text("console-url") {
            guard address.hasPrefix("ws://") || address.hasPrefix("wss://"), !address.contains("?") else {
                throw section.error(
                    at: "console-url",
                    "\(address): must be a URL that begins with ws:// or wss:// and has no query"
                )
            }
            consoleURL = address
        }
        consoleLife = try section.duration("console-life") ?? consoleLife
        if let word = try section.text("console-output") {
            guard let rules = NovaOutputRules(rawValue: word) else {
                let known = NovaOutputRules.allCases.map(\.rawValue).joined(separator: ", ")
                throw section.error(at: "console-output", "unknown console-output \(word); use one of \(known)")
            }
            output = rules
        }
    }
}
