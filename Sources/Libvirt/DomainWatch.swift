// SPDX-License-Identifier: Apache-2.0

public import SystemIO

/// Keeps a `DomainDirectory` up to date with libvirt, on a thread of its own.
///
/// It queries the list of domains after each event, at growing intervals after connecting, because some changes cause
/// no event, and completely every five minutes. While libvirt is unreachable the directory does not change.
public final class DomainWatch {
    private let socket: LibvirtSocket
    private let follower: DomainFollower
    private let interruption: Interruption
    private var thread: WorkerThread?

    /// A watch that keeps `directory` up to date with the libvirt at `socket`. It calls `onChange` on its own thread
    /// after each change; that must not block.
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

    /// Begins, unless the socket is `off`. Call once.
    public func start() throws(SystemError) {
        guard socket != .off else {
            return
        }
        thread = try WorkerThread(name: "libvirt") { [follower] in
            var follower = follower
            follower.run()
        }
    }

    /// Ends, whatever libvirt does, and waits until no callback runs any more.
    public func stop() {
        interruption.raise()
        thread?.join()
        thread = nil
    }
}
