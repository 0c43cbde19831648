// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport

/// A daemon to be killed: captures the console on descriptor 3 as the VM `vm` into the given folder, until SIGTERM.
///
/// With a second argument N it kills itself in the middle of its Nth call that changes a file.
@main
enum CrashDaemon {
    static func main() throws {
        let folder = CommandLine.arguments[1]
        let fatalCall = CommandLine.arguments.count > 2 ? Int(CommandLine.arguments[2]) : nil
        var options = CaptureService.Options(store: folder + "/store", inflight: folder + "/inflight")
        options.shards = 1
        options.fileSystem = FaultyFileSystem(fatalCall: fatalCall)
        options.quota = { _ in Quota(bytes: 1 << 30) }
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        let hub = try ConsoleHub(
            ConsoleHub.Options(table: folder + "/held"),
            capture: capture,
            manager: ServiceManager()
        )
        var signals = sigset_t()
        sigemptyset(&signals)
        sigaddset(&signals, SIGTERM)
        sigprocmask(SIG_BLOCK, &signals, nil)
        try capture.start()
        try hub.start()
        let key = StreamKey(name: "vm")
        hub.add(try ConsoleHub.Definition(key: key, endpoint: .inherited, rate: nil), descriptor: Descriptor(owning: 3))
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        hub.stop()
        capture.stop()
    }
}
