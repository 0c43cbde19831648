import Glibc
import TestSupport
import Testing

/// The guest of `scripts/make-guest`, booted in QEMU under software emulation.
///
/// QEMU itself writes down what the guest says, in `said`; see `difference(_:fromRecord:)` for how well.
final class Guest {
    /// How QEMU hands its console out.
    enum Chardev {
        /// A socket it listens on, which drops what it is told while nobody is there.
        case server(String)
        /// A socket it connects to, trying again every second.
        case client(String)
        /// A pseudo-terminal that it makes.
        case terminal
        /// Two named pipes, PATH.in and PATH.out.
        case pipe(String)

        fileprivate var words: String {
            switch self {
            case .server(let path): "socket,path=\(path),server=on,wait=off"
            case .client(let path): "socket,path=\(path),server=off,reconnect=1"
            case .terminal: "pty"
            case .pipe(let path): "pipe,path=\(path)"
            }
        }
    }

    /// The device it speaks through: an emulated serial port, about 0.5 MB/s, or a virtio console, about 2 MB/s.
    enum Device {
        case serial, virtio
    }

    let qemu: ChildProcess
    private let record: String

    /// Boots a guest called `name`, whose kernel gets `words`; a paused one stands still until `resume()`, and its QEMU
    /// outlives it.
    init(
        _ name: String,
        words: String = "",
        chardev: Chardev,
        device: Device = .serial,
        isPaused: Bool = false,
        in folder: String
    ) {
        record = folder + "/" + name + ".said"
        let console = "\(chardev.words),id=console0,logfile=\(record),logappend=on"
        let pausing = isPaused ? ["-S", "-no-shutdown", "-monitor", "stdio"] : []
        let command = Self.command(name, console: console, words: words, device: device) + pausing
        qemu = ChildProcess(command, name: name, in: folder)
    }

    /// The command that boots the guest, all but the console's chardev, which is `console`.
    static func command(_ name: String, console: String, words: String, device: Device = .serial) -> [String] {
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
            "-initrd", folder + "/initrd.gz", "-append", "console=\(port) panic=1 \(words)",
        ] + wiring
    }

    /// Everything it has said since it was switched on.
    var said: [UInt8] { FileText.bytes(record) }

    /// The path of the pseudo-terminal that QEMU made, once it has told.
    var terminalPath: String? {
        qemu.text.firstMatch(of: #/redirected to (\S+)/#).map { String($0.1) }
    }

    /// Lets a paused guest run.
    func resume() {
        qemu.send("cont\n")
    }

    /// Pulls the plug.
    func stop() {
        qemu.stop()
    }

    /// Waits until the guest has switched itself off.
    func hasSwitchedOff(within seconds: Double = 60) -> Bool {
        eventually(within: seconds) { qemu.hasEnded }
    }
}
