// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The libvirt to query for VMs.
public enum LibvirtSocket: Hashable, Sendable, CustomStringConvertible {
    /// The first of libvirt's own sockets that exists.
    case `default`
    case path(String)
    /// No query.
    case off

    /// The read-only sockets of libvirtd, and of virtqemud in a libvirt of several daemons.
    private static let defaultPaths = ["/run/libvirt/libvirt-sock-ro", "/run/libvirt/virtqemud-sock-ro"]

    private var paths: [String] {
        switch self {
        case .default: Self.defaultPaths
        case .path(let path): [path]
        case .off: []
        }
    }

    /// The path to connect to now; nil when there is none.
    var currentPath: String? {
        paths.first { access($0, F_OK) == 0 }
    }

    public var description: String {
        self == .off ? "none" : paths.joined(separator: " or ")
    }
}
