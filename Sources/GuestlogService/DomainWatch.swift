public import Platforms
public import SystemIO

/// Keeps a `DomainDirectory` true to libvirt, from a thread of its own.
///
/// It waits for libvirt's events and looks at the list of domains after each. For what no event tells of it looks at
/// growing intervals after connecting too, and every five minutes it reads all anew. While libvirt is not there the
/// directory stays as it is: what is not known is not claimed.
public final class DomainWatch {
    private let socket: LibvirtSocket
    private let follower: DomainFollower
    private let interruption: Interruption
    private var thread: WorkerThread?

    /// A watch that keeps `directory` true to the libvirt at `socket`, and calls `onChange` on its own thread after each
    /// change; that must not wait for long.
    public init(
        _ socket: LibvirtSocket,
        directory: DomainDirectory,
        diagnostics: Diagnostics,
        onChange: @escaping @Sendable (DomainDirectory) -> Void = { _ in }
    ) throws(SystemError) {
        self.socket = socket
        interruption = try Interruption()
        follower = DomainFollower(
            socket: socket,
            directory: directory,
            diagnostics: diagnostics,
            interruption: interruption,
            onChange: onChange
        )
    }

    /// Begins, unless the socket is `off`. To be called once.
    public func start() throws(SystemError) {
        guard socket != .off else {
            return
        }
        thread = try WorkerThread(name: "libvirt") { [follower] in
            var follower = follower
            follower.run()
        }
    }

    /// Ends, whatever libvirt does, and waits until nothing is called any more.
    public func stop() {
        interruption.raise()
        thread?.join()
        thread = nil
    }
}
