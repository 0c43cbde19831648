// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// The guest of `scripts/make-guest`, booted in QEMU under software emulation.
///
/// QEMU itself records the guest's output in `printed`; see `difference(_:fromRecord:)` for its accuracy.
final class Guest {
    /// QEMU's character device for the console.
    enum Chardev {
        /// A socket that it listens on: the guest begins when its first client has connected, and output without a client
        /// is dropped later.
        case server(String)
        /// None: the output is in QEMU's own record alone.
        case null
        /// A socket that it connects to, retrying every second.
        case client(String)
        /// A pseudo-terminal that it creates.
        case terminal
        /// Two named pipes, PATH.in and PATH.out.
        case pipe(String)

        fileprivate var words: String {
            switch self {
            case .server(let path): "socket,path=\(path),server=on,wait=on"
            case .null: "null"
            case .client(let path): "socket,path=\(path),server=off,reconnect=1"
            case .terminal: "pty"
            case .pipe(let path): "pipe,path=\(path)"
            }
        }
    }

    /// The guest's device: an emulated serial port, about 0.5 MB/s, or a virtio console, about 2 MB/s.
    enum Device {
        case serial, virtio
    }

    let qemu: ChildProcess
    private let record: String

    /// Boots a guest called `name`, with `words` on the kernel's command line; a paused one waits for `resume()`, and its
    /// QEMU outlives it. `initrd` replaces the guest's own, and `options` are further ones of QEMU.
    init(
        _ name: String,
        words: String = "",
        chardev: Chardev,
        device: Device = .serial,
        isPaused: Bool = false,
        initrd: String? = nil,
        options: [String] = [],
        in folder: String
    ) {
        record = folder + "/" + name + ".said"
        let console = "\(chardev.words),id=console0,logfile=\(record),logappend=on"
        let pausing = isPaused ? ["-S", "-no-shutdown", "-monitor", "stdio"] : []
        let command =
            Self.command(name, console: console, words: words, device: device, initrd: initrd) + options + pausing
        qemu = ChildProcess(command, name: name, in: folder)
    }

    /// The command that boots the guest, without the console's chardev, whose id is `console`.
    static func command(
        _ name: String,
        console: String,
        words: String,
        device: Device = .serial,
        initrd: String? = nil
    ) -> [String] {
        let folder = GuestImage.folder ?? ""
        #if arch(arm64)
            let (machine, serial) = ("virt", "ttyAMA0")
        #else
            let (machine, serial) = ("pc", "ttyS0")
        #endif
        let wiring =
            switch device {
            case .serial: ["-serial", "chardev:console0"]
            case .virtio: ["-device", "virtio-serial-pci", "-device", "virtconsole,chardev=console0"]
            }
        let port = device == .serial ? serial : "hvc0"
        return [
            Program.qemu ?? "", "-machine", machine, "-accel", "tcg", "-cpu", "max", "-m", "128", "-name", name,
            "-nodefaults", "-display", "none", "-chardev", console, "-kernel", folder + "/vmlinuz",
            "-initrd", initrd ?? folder + "/initrd.gz", "-append", "console=\(port) panic=1 \(words)",
        ] + wiring
    }

    /// All output since it was switched on.
    var printed: [UInt8] { FileText.bytes(record) }

    /// The path of the pseudo-terminal that QEMU created, once it is known.
    var terminalPath: String? {
        qemu.text.firstMatch(of: #/redirected to (\S+)/#).map { String($0.1) }
    }

    func resume() {
        qemu.send("cont\n")
    }

    /// Kills the guest.
    func stop() {
        qemu.stop()
    }

    /// Waits until the guest has switched itself off.
    func hasSwitchedOff(within seconds: Double = 300) -> Bool {
        eventually(within: seconds) { qemu.hasEnded }
    }
}
