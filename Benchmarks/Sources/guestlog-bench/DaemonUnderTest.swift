// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO

/// The real `guestlog serve`, with guests that `Guests` plays, found by a pattern.
final class DaemonUnderTest {
    let process: ChildProcess
    let store: String
    /// The folder whose sockets are the consoles.
    let consoles: String
    private let folder: String
    private let guests: ChildProcess?
    private let lines: SharedCounter
    private var starter: Int32 = -1

    /// Starts both and waits until all consoles are connected and the daemon has come to rest. `store` is where it
    /// stores; by default a folder of its own.
    init(guests count: Int, rate: Double, store: String? = nil) throws {
        Machine.fileLimit()
        folder = try Machine.freshFolder("daemon")
        self.store = store ?? folder + "/store"
        let runtime = try Machine.freshRuntimeFolder()
        consoles = runtime + "/vms"
        try Machine.makeFolder(consoles)
        let configuration = """
            store: \(self.store)
            runtime: \(runtime)
            log-level: error
            consoles:
              - path: \(consoles)/{name}.sock

            """
        try Machine.write(configuration, to: folder + "/guestlog.yaml")
        lines = try SharedCounter()
        let pipe = try Descriptor.pipe()
        guests =
            count == 0
            ? nil
            : try ChildProcess.own(
                ["play", "guests", String(count), consoles, String(rate)],
                capturesOutput: true,
                passing: [pipe.first.raw, lines.descriptor.raw]
            )
        if let guests {
            try Self.expect("ready\n", from: guests)
        }
        process = try ChildProcess.guestlog(["serve", "--config", folder + "/guestlog.yaml"])
        if let guests {
            try Self.expect("connected\n", from: guests)
        }
        starter = try pipe.second.duplicate().release()
        waitForRest()
    }

    private static func expect(_ word: String, from process: ChildProcess) throws {
        guard let output = process.readOutput(), String(decoding: output, as: UTF8.self) == word else {
            throw BenchError("the guests did not say \(word)")
        }
    }

    private func waitForRest() {
        var last = 0.0
        Machine.wait("for the daemon to come to rest", within: 300) {
            usleep(2_000_000)
            let cpu = ProcessUsage(of: process.id).cpu
            defer { last = cpu }
            return cpu - last < 0.002
        }
    }

    /// Lines sent so far.
    var sent: Int { lines.value }

    /// Has the guests begin to talk.
    func begin() {
        var byte: UInt8 = 1
        write(starter, &byte, 1)
    }

    /// Ends guests and daemon; how many bytes of text the store holds.
    func end() throws -> Int {
        close(starter)
        guests?.wait()
        // What is on its way is read within a turn, and stored when the daemon ends.
        usleep(500_000)
        process.kill(SIGTERM)
        process.wait()
        var stored = 0
        let store = Store(root: store)
        for vm in try store.vms() {
            for stream in try store.streams(of: vm.directory) {
                let reader = store.reader(of: stream)
                var cursor = Cursor.start
                while let batch = try reader.batch(at: cursor) {
                    stored += Int(batch.block.end - batch.start)
                    cursor = batch.next
                }
            }
        }
        Machine.remove(folder)
        return stored
    }
}
