// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import GuestCollector
import HTTPAPI
import Libvirt
import LogModel
import LogStore
import Outputs
import Query
import RotatingFile
import RuntimeSources
import SystemIO
import TextFormats
import Transforms

// What a reload compares, and what is displayed.
extension Configuration {
    /// The settings that differ in `fresh` and that a running daemon cannot change.
    func fixedSettings(changedIn fresh: Configuration) -> [String] {
        let same = [
            ("store", store == fresh.store), ("runtime", runtime == fresh.runtime), ("socket", socket == fresh.socket),
            ("retention.total", totalQuota == fresh.totalQuota), ("retention.deleted", deletedAge == fresh.deletedAge),
            ("api", listener == fresh.listener), ("openstack", nova == fresh.nova),
            ("libvirt.socket", libvirt == fresh.libvirt), ("sources", sources == fresh.sources),
            ("pipelines", pipeline.stages == fresh.pipeline.stages),
            ("collector", collector?.withoutGuests == fresh.collector?.withoutGuests),
            ("outputs", outputs == fresh.outputs), ("kubevirt", node == fresh.node),
        ]
        return same.filter { !$0.1 }.map(\.0)
    }

    /// The effective settings, for display.
    public var settings: [(name: String, value: String)] {
        let level = Self.levels.first { $0.value == logLevel }?.key ?? ""
        var settings = [
            ("store", store), ("runtime", runtime), ("socket", socket), ("log-level", level),
            ("retention.vm", Quantities.size(quota.bytes)), ("retention.total", Quantities.size(effectiveTotal())),
            ("retention.age", Self.text(age: quota.age)),
            ("retention.deleted", Quantities.duration(microseconds: deletedAge)),
            ("api.listen", listener?.summary ?? "nowhere"),
            ("openstack.console-url", nova.consoleURL ?? "the request's address"),
            ("openstack.console-life", Quantities.duration(microseconds: nova.consoleLife)),
            ("openstack.console-output", nova.output.rawValue),
            ("libvirt.socket", "\(libvirt)"), ("libvirt.log-folders", logFolders.joined(separator: ", ")),
            ("libvirt.rate", Self.text(logRate)),
        ]
        settings += collector?.settings ?? []
        settings += node?.settings ?? []
        for override in overrides {
            let summary = "\(Quantities.size(override.quota.bytes)), age \(Self.text(age: override.quota.age))"
            settings.append(("retention of \(override.vms)", summary))
        }
        for rule in charsets.rules {
            settings.append(("charset of \(rule.vms)", rule.charset.name))
        }
        for source in sources {
            settings.append(("source \(source.name)", "tag \(source.tag), feeds the stream \(source.stream)"))
        }
        for pattern in patterns {
            let plain = pattern.plainFile.map { StreamOptions.PlainFile(path: $0, limits: pattern.plainLimits) }
            let summary = "\(pattern.text) feeds \(pattern.stream)"
            settings.append(("console", summary + Self.text(plain) + ", " + Self.text(pattern.rate)))
        }
        for console in consoles {
            let summary = "\(console.endpoint.description) feeds \(console.key)"
            settings.append(("console", summary + Self.text(console.plainFile) + ", " + Self.text(console.rate)))
        }
        return settings + outputSettings
    }

    private static func text(age: Int64?) -> String {
        age.map { Quantities.duration(microseconds: $0) } ?? "any"
    }

    private static func text(_ plain: StreamOptions.PlainFile?) -> String {
        plain.map { ", plain file \($0.path) (\(Quantities.size($0.limits.size)), \($0.limits.backups) backups)" } ?? ""
    }

    private static func text(_ rate: RateLimit?) -> String {
        rate.map { "\(Quantities.size($0.rate))/s (burst \(Quantities.size($0.burst)))" } ?? "any rate"
    }
}
