// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The throughput of a real guest's console: captured, captured while the disk is full, and discarded by another program
/// next to an unrelated load equal to the daemon's. Capture should cost the guest no more than that load.
enum Console {
    static var rows: [Row] {
        let target = "as discarded"
        return [
            Row(
                "qemu-console",
                runs: 3,
                targets: ["captured": target, "captured, disk full": target],
                measure: measure
            )
        ]
    }

    /// Megabytes that the guest prints.
    private static let megabytes = 4

    private static func measure() throws -> [Measure] {
        let captured = try capture(store: nil)
        var measures = [
            Measure("captured", "MB/s", captured.rate),
            Measure("the daemon's load", "% of a core", captured.load * 100),
        ]
        let small = try Machine.freshFolder("full")
        if mount("tmpfs", small, "tmpfs", 0, "size=1m") == 0 {
            defer { umount(small) }
            measures.append(Measure("captured, disk full", "MB/s", try capture(store: small).rate))
        }
        measures.append(Measure("discarded, beside an equal load", "MB/s", try discard(load: captured.load)))
        return measures
    }

    private static func capture(store: String?) throws -> (rate: Double, load: Double) {
        let daemon = try DaemonUnderTest(guests: 0, rate: 0, store: store)
        let socket = daemon.consoles + "/guest.sock"
        let before = ProcessUsage(of: daemon.process.id).cpu
        let full = try boot(socket, megabytes: megabytes)
        let load = (ProcessUsage(of: daemon.process.id).cpu - before) / full
        let empty = try boot(socket, megabytes: 0)
        _ = try daemon.end()
        return (Double(megabytes) / (full - empty), load)
    }

    private static func discard(load: Double) throws -> Double {
        let socket = try Machine.freshMemoryFolder("console") + "/guest.sock"
        let burner = try ChildProcess.own(["play", "burner", String(load)])
        let reader = try ChildProcess.own(["play", "discard", socket])
        defer {
            burner.kill(SIGKILL)
            reader.kill(SIGKILL)
        }
        let full = try boot(socket, megabytes: megabytes)
        let empty = try boot(socket, megabytes: 0)
        return Double(megabytes) / (full - empty)
    }

    /// Boots a guest that prints them and powers off; returns the seconds that it takes.
    private static func boot(_ socket: String, megabytes: Int) throws -> Double {
        guard let guest = getenv("GUESTLOG_GUEST").map({ String(cString: $0) }) else {
            throw BenchError("GUESTLOG_GUEST must name the guest's folder; scripts/bench sees to it")
        }
        let began = Machine.now
        let qemu = try ChildProcess(
            "qemu-system-x86_64",
            [
                "-machine", "pc", "-accel", "tcg", "-cpu", "max", "-m", "128", "-nodefaults", "-display", "none",
                "-chardev", "socket,path=\(socket),server=on,wait=off,id=console0", "-serial", "chardev:console0",
                "-kernel", guest + "/vmlinuz", "-initrd", guest + "/initrd.gz",
                "-append", "console=ttyS0 panic=1 gflood=\(megabytes) glogin=0 gpoweroff=1",
            ]
        )
        guard qemu.wait() == 0 else {
            throw BenchError("QEMU failed")
        }
        unlink(socket)
        return Machine.now - began
    }

    /// Reads and discards the output of `socket`, whenever it exists.
    static func playDiscard(_ socket: String) throws {
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            guard let connection = try? UnixSocket.connect(to: socket) else {
                usleep(10_000)
                continue
            }
            try connection.setNonBlocking(false)
            while read(connection.raw, &buffer, buffer.count) > 0 {}
        }
    }

    /// Keeps a core busy for `load` of the time.
    static func playBurner(_ load: Double) {
        while true {
            let end = Machine.now + 0.01 * load
            while Machine.now < end {}
            usleep(UInt32(10_000 * max(0, 1 - load)))
        }
    }
}
