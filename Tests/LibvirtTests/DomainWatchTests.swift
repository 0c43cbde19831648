// SPDX-License-Identifier: Apache-2.0

import Glibc
import Libvirt
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

/// The watch with a missing or faulty libvirt; the end-to-end tests use a real one.
@Suite(.blocking) struct DomainWatchTests {
    /// The log messages.
    private final class Words: Sendable {
        private let messageLog = Mutex<[(level: DiagnosticLevel, text: String)]>([])

        var all: [(level: DiagnosticLevel, text: String)] { messageLog.withLock { $0 } }

        func diagnostics() -> Diagnostics {
            Diagnostics(threshold: .debug) { [self] level, text in messageLog.withLock { $0.append((level, text)) } }
        }
    }

    @Test("a missing libvirt is logged once, at level info; one that appears later is found")
    func absent() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/sock"
        let words = Words()
        let directory = DomainDirectory()
        let watch = try DomainWatch(.path(path), directory: directory, diagnostics: words.diagnostics())
        try watch.start()
        #expect(eventually { !words.all.isEmpty })
        // It appears when it accepts connections: before, it would be a libvirt that refuses them.
        let listener = try UnixSocket.listen(at: path + ".new")
        #expect(rename(path + ".new", path) == 0)
        var client: Descriptor?
        #expect(
            try eventually {
                client = try UnixSocket.accept(listener.raw)
                return client != nil
            }
        )
        watch.stop()
        #expect(words.all.map(\.text) == ["no libvirt is at \(path)"])
        #expect(words.all.map(\.level) == [.info])
        #expect(!directory.isKnown)
        withExtendedLifetime(listener) {}
    }

    @Test("a libvirt that never answers does not delay the end of the watch, and a watch that is off never begins")
    func silent() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/sock"
        // Connections wait for an answer in the backlog.
        let listener = try UnixSocket.listen(at: path)
        let words = Words()
        for socket in [LibvirtSocket.path(path), .off] {
            let watch = try DomainWatch(socket, directory: DomainDirectory(), diagnostics: words.diagnostics())
            try watch.start()
            watch.stop()
        }
        #expect(words.all.isEmpty)
        withExtendedLifetime(listener) {}
    }

    @Test("a libvirt that closes every connection is logged once")
    func closing() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/sock"
        let listener = try UnixSocket.listen(at: path)
        let words = Words()
        let watch = try DomainWatch(.path(path), directory: DomainDirectory(), diagnostics: words.diagnostics())
        try watch.start()
        var connections = 0
        #expect(
            try eventually {
                if try UnixSocket.accept(listener.raw) != nil {
                    connections += 1
                }
                return connections == 5
            }
        )
        watch.stop()
        #expect(words.all.map(\.level) == [.warning])
    }
}
