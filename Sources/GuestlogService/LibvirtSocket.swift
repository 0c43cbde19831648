import Glibc

/// Where libvirt is asked which VMs there are.
public enum LibvirtSocket: Hashable, Sendable, CustomStringConvertible {
    /// At the first of libvirt's own sockets that is there.
    case usual
    /// At this path.
    case path(String)
    /// Nowhere.
    case off

    /// The read-only sockets of libvirtd, and of virtqemud, where libvirt is many daemons.
    private static let usualPaths = ["/run/libvirt/libvirt-sock-ro", "/run/libvirt/virtqemud-sock-ro"]

    private var paths: [String] {
        switch self {
        case .usual: Self.usualPaths
        case .path(let path): [path]
        case .off: []
        }
    }

    /// Where to connect to now; nil when there is nothing.
    var currentPath: String? {
        paths.first { access($0, F_OK) == 0 }
    }

    public var description: String {
        self == .off ? "none" : paths.joined(separator: " or ")
    }
}
