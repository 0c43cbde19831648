// SPDX-License-Identifier: Apache-2.0

import Capture
import SystemIO

/// A listening socket of the collector. One that cannot be opened is a problem, which `guestlog status` shows, and is tried
/// again until it can: a folder may be made later, a kernel module loaded, another program may give up the address. Lives
/// on the collector's loop.
final class CollectorListener {
    /// What it listens on: a path, an address, or `vsock port N`.
    let name: String
    private(set) var socket: ListeningSocket?
    private unowned let loop: EventLoop
    private let capture: CaptureService
    private let open: () throws(SystemError) -> Descriptor
    private let onConnection: (consuming Descriptor) -> Void
    /// Called when it listens, or listens no more.
    private let onChange: () -> Void
    private var backoff = Backoff(first: 1_000_000, doublingLimit: 10_000_000, longest: 10_000_000)
    private var timer: EventLoop.TimerToken?

    init(
        _ name: String,
        on loop: EventLoop,
        capture: CaptureService,
        open: @escaping () throws(SystemError) -> Descriptor,
        onConnection: @escaping (consuming Descriptor) -> Void,
        onChange: @escaping () -> Void
    ) {
        self.name = name
        self.loop = loop
        self.capture = capture
        self.open = open
        self.onConnection = onConnection
        self.onChange = onChange
    }

    private var subject: String { "collector \(name)" }

    /// Listens, on `inherited` if there is one.
    func begin(with inherited: consuming Descriptor? = nil) {
        timer = nil
        do throws(SystemError) {
            let descriptor: Descriptor
            if let inherited {
                descriptor = inherited
            } else {
                descriptor = try open()
            }
            try descriptor.setNonBlocking()
            let listening = ListeningSocket(descriptor, path: name)
            try listening.begin(on: loop, onConnection)
            socket = listening
            capture.problems.clear(subject)
            onChange()
        } catch {
            capture.problems.report(subject, "\(error)", .error, to: capture.diagnostics)
            timer = loop.schedule(afterMicroseconds: backoff.next()) { [weak self] in self?.begin() }
        }
    }

    /// Stops listening, and trying to.
    func end() {
        timer.map(loop.cancel)
        timer = nil
        capture.problems.clear(subject)
        socket?.end()
        socket = nil
        onChange()
    }
}
