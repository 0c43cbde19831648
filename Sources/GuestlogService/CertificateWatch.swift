// SPDX-License-Identifier: Apache-2.0

import HTTPAPI
import Synchronization
import SystemIO

/// Keeps a server's TLS identity up to date with its files: reads them again after each change in their folders.
///
/// Kubernetes renews a mounted secret by renaming the link `..data` in its folder, through which the files are reached:
/// the files themselves never change. A pair that cannot be used, such as a key that is not the certificate's, is
/// reported, and the last good pair stays in use.
final class CertificateWatch: Sendable {
    private let identity: TLSIdentity
    private let diagnostics: Diagnostics
    private let watch: DirectoryWatch?
    private let isStopped = Atomic<Bool>(false)

    /// Renewing several files takes several steps: how long to wait for the end of them, in milliseconds.
    private static let settling: Int32 = 100
    /// The interval of reading where the kernel refuses to watch, in microseconds.
    private static let pollInterval: UInt32 = 10_000_000

    /// A watch of `identity`, whose files are at `paths`.
    init(_ identity: TLSIdentity, at paths: [String], diagnostics: Diagnostics) {
        self.identity = identity
        self.diagnostics = diagnostics
        do throws(SystemError) {
            let watch = try DirectoryWatch()
            for folder in Set(paths.map({ DirectoryHandle.split($0).directory })) {
                _ = try watch.add(folder, mask: DirectoryWatch.entriesAndWrites)
            }
            self.watch = watch
        } catch {
            watch = nil
            diagnostics.log(.warning, "\(error); the certificate is read every 10 s instead\(error.watchRemedy)")
        }
    }

    /// Reads the files again after each change, until `stop` was called and another change comes.
    func run() {
        while !isStopped.load(ordering: .acquiring) {
            reload(awaitChange())
        }
    }

    /// Changes from now on have no effect.
    func stop() {
        isStopped.store(true, ordering: .releasing)
    }

    /// Waits until the files may have changed; returns the level at which reading them is reported.
    private func awaitChange() -> DiagnosticLevel {
        guard let watch else {
            WorkerThread.pause(microseconds: Self.pollInterval)
            return .debug
        }
        watch.wait(milliseconds: -1)
        while !watch.drain().isEmpty {
            watch.wait(milliseconds: Self.settling)
        }
        return .notice
    }

    private func reload(_ level: DiagnosticLevel) {
        do {
            try identity.reload()
            diagnostics.log(level, "the certificate was reloaded; new connections use it")
        } catch {
            diagnostics.log(.error, "\(error); the last good certificate stays in use")
        }
    }
}
