// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// The system's libvirtd in a mount namespace whose /run, /etc/libvirt and so on belong to this test, so that the
/// host's libvirt is neither seen nor changed.
final class LibvirtHost {
    /// The log daemon of libvirtd.
    enum LogDaemon: String, CaseIterable {
        case guestlog, virtlogd
    }

    static let isPossible: Bool = {
        let programs = ["/usr/sbin/libvirtd", "/usr/sbin/virtlogd", "/usr/bin/virsh"]
        return geteuid() == 0 && programs.allSatisfy { (path: String) in access(path, X_OK) == 0 }
    }()

    private let folder = TemporaryFolder()
    private let world: ChildProcess
    private var commands = 0
    private(set) var logDaemon: ChildProcess?
    private var libvirtd: ChildProcess?

    var path: String { folder.path }
    /// The folder of libvirtd's own logs, with QEMU's messages.
    var ownLogs: String { path + "/log/libvirt/qemu" }
    /// The program that the log daemon is started as; a link.
    var program: String { path + "/bin/virtlogd" }
    var processFile: String { path + "/run/virtlogd.pid" }

    /// Whether `guestlog keep` runs the log daemon.
    private let isKept: Bool

    /// A host whose plain files hold 256 KiB each, or `fileSize` bytes; the store is in its folder, or at `store`.
    init(
        _ daemon: LogDaemon = .guestlog,
        fileSize: Int = 262_144,
        backups: Int = 3,
        isKept: Bool = false,
        store: String? = nil
    ) throws {
        self.isKept = isKept
        for name in ["run", "run/libvirt", "etc", "lib", "log", "bin", "logs"] {
            mkdir(folder.path + "/" + name, 0o755)
        }
        let settings = ["user = \"root\"", "group = \"root\"", "dynamic_ownership = 0", "remember_owner = 0"]
        let more = [
            "security_driver = \"none\"", "cgroup_controllers = [ ]", "namespaces = [ ]", "seccomp_sandbox = 0",
            "stdio_handler = \"logd\"", "",
        ]
        FileText.write((settings + more).joined(separator: "\n"), to: folder.path + "/etc/qemu.conf")
        FileText.write(
            "max_size = \(fileSize)\nmax_backups = \(backups)\n",
            to: folder.path + "/etc/virtlogd.conf"
        )
        FileText.write(
            "log_outputs = \"3:stderr\"\nauth_unix_rw = \"none\"\n",
            to: folder.path + "/etc/libvirtd.conf"
        )
        FileText.write(
            """
            store: \(store ?? folder.path + "/store")
            runtime: /run/guestlog
            libvirt: { log-folders: [\(folder.path), /var/log/libvirt, /var/run/kubevirt-private] }

            """,
            to: folder.path + "/guestlog.yaml"
        )
        world = ChildProcess(
            ["unshare", "--mount", "sh", "-euc", Self.makingWorld, folder.path],
            name: "world",
            in: folder.path
        )
        #expect(eventually { world.text.contains("made") }, "\(world.standardError)")
        link(to: daemon)
        try startLogDaemon()
        startLibvirtd()
    }

    /// libvirtd requires the user that Debian's packages create.
    private static let makingWorld = """
        site=$0
        cp /etc/passwd /etc/group "$site/etc/"
        for group in kvm libvirt libvirt-qemu; do
            grep -q "^$group:" "$site/etc/group" || echo "$group:x:64000:" >>"$site/etc/group"
        done
        grep -q ^libvirt-qemu: "$site/etc/passwd" ||
            echo libvirt-qemu:x:64055:64000::/var/lib/libvirt:/usr/sbin/nologin >>"$site/etc/passwd"
        mount --make-rprivate /
        mount --bind "$site/etc/passwd" /etc/passwd
        mount --bind "$site/etc/group" /etc/group
        mkdir -p /etc/libvirt /var/lib/libvirt /var/log/libvirt
        mkdir -p "$site/log/libvirt/qemu"
        mount --bind "$site/etc" /etc/libvirt
        mount --bind "$site/lib" /var/lib/libvirt
        mount --bind "$site/log/libvirt" /var/log/libvirt
        mount -t tmpfs tmpfs "$site/run"
        mkdir "$site/run/libvirt"
        mount --bind "$site/run" /run
        echo made
        exec sleep 86400
        """

    deinit {
        let domains = virsh("list", "--name").text.split(separator: "\n")
        domains.forEach { _ = virsh("destroy", String($0)) }
        libvirtd?.stop()
        logDaemon?.stop(isKept ? SIGTERM : SIGKILL)
        world.stop(SIGKILL)
    }

    /// The path by which a file of the namespace is reached from outside.
    func outside(_ path: String) -> String { "/proc/\(world.process)/root" + path }

    func inWorld(_ command: [String]) -> [String] {
        ["nsenter", "--mount=/proc/\(world.process)/ns/mnt", "--"] + command
    }

    // MARK: - libvirtd

    /// libvirtd's read-only socket, as reached from outside the namespace.
    var readOnlySocket: String { outside("/run/libvirt/libvirt-sock-ro") }

    /// Starts libvirtd and waits until it answers.
    func startLibvirtd() {
        libvirtd = begin(["/usr/sbin/libvirtd", "-f", "/etc/libvirt/libvirtd.conf"], name: "libvirtd")
        #expect(eventually { virsh("list").status == 0 }, "\(libvirtd?.standardError ?? "")")
    }

    /// Stops libvirtd; its domains continue.
    func stopLibvirtd() {
        libvirtd?.stop()
        libvirtd = nil
    }

    func signalLibvirtd(_ number: Int32) {
        libvirtd?.signal(number)
    }

    // MARK: - The log daemon

    /// Links `program` to a log daemon.
    func link(to daemon: LogDaemon) {
        unlink(program)
        symlink(daemon == .guestlog ? Program.guestlog : "/usr/sbin/virtlogd", program)
    }

    /// Starts the log daemon, as the program that the link leads to, and waits until it accepts connections.
    func startLogDaemon() throws {
        let keeper = isKept ? [Program.guestlog, "keep", "--"] : []
        logDaemon = begin(keeper + [program, "-f", "/etc/libvirt/virtlogd.conf"], name: "logd")
        awaitLogDaemon()
    }

    func awaitLogDaemon() {
        let answers = ["socat", "-u", "OPEN:/dev/null", "UNIX-CONNECT:/run/libvirt/virtlogd-sock"]
        #expect(eventually { run(answers).status == 0 }, "\(logDaemon?.standardError ?? "")")
    }

    var logProcess: Int32 {
        Int32(run(["cat", "/run/virtlogd.pid"]).text.split(separator: "\n").first ?? "") ?? -1
    }

    // MARK: - Commands

    struct Answer {
        let status: Int32
        let text: String
        let standardError: String
    }

    /// Runs a command in the namespace, to its end.
    func run(_ command: [String]) -> Answer {
        commands += 1
        let child = begin(command, name: "command-\(commands)")
        let status = child.wait()
        return Answer(status: status, text: child.text, standardError: child.standardError)
    }

    /// Starts a command in the namespace.
    func begin(_ command: [String], name: String) -> ChildProcess {
        let environment = ["GUESTLOG_CONFIG": path + "/guestlog.yaml"]
        return ChildProcess(inWorld(command), name: name, in: path, environment: environment)
    }

    func virsh(_ words: String...) -> Answer {
        run(["virsh", "-q", "-c", "qemu:///system"] + words)
    }

    func guestlog(_ words: String...) -> Answer {
        run([Program.guestlog] + words + ["--store", path + "/store"])
    }

    // MARK: - Domains

    /// The XML of a domain that boots the test guest, which prints `lines` lines and switches itself off.
    func domain(_ name: String, lines: Int, append: Bool = true, extra: String = "", devices: String = "") -> String {
        Self.domain(name, lines: lines, append: append, extra: extra, devices: devices, in: path)
    }

    static func domain(
        _ name: String,
        lines: Int,
        append: Bool = true,
        extra: String = "",
        devices: String = "",
        in path: String
    ) -> String {
        let guest = GuestImage.folder ?? ""
        let (machine, architecture, port) = machine
        return """
            <domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
              <name>\(name)</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
              <os><type arch='\(architecture)' machine='\(machine)'>hvm</type>
                <kernel>\(guest)/vmlinuz</kernel><initrd>\(guest)/initrd.gz</initrd>
                <cmdline>console=\(port) quiet panic=-1 glines=\(lines) glogin=0 gpoweroff=1</cmdline></os>
              <features><acpi/></features>
              <devices><emulator>\(Program.qemu ?? "")</emulator>
                <serial type='unix'><source mode='bind' path='\(path)/\(name).sock'/>
                  <log file='\(path)/logs/\(name).log' append='\(append ? "on" : "off")'/><target port='0'/></serial>
                \(devices)<memballoon model='none'/></devices>
              \(extra)
            </domain>
            """
    }

    static var machine: (machine: String, architecture: String, port: String) {
        #if arch(arm64)
            ("virt", "aarch64", "ttyAMA0")
        #else
            ("pc", "x86_64", "ttyS0")
        #endif
    }

    @discardableResult
    func create(_ name: String, _ xml: String, paused: Bool = false) -> Answer {
        FileText.write(xml, to: path + "/\(name).xml")
        let words = ["virsh", "-q", "-c", "qemu:///system", "create", path + "/\(name).xml"]
        return run(words + (paused ? ["--paused"] : []))
    }

    /// Waits until the domain does not exist any more.
    func hasEnded(_ name: String) -> Bool {
        eventually(within: 120) { virsh("domstate", name).status != 0 }
    }

    /// The files of a log by their names, newest first.
    func files(_ log: String) -> [(name: String, bytes: [UInt8])] {
        let names = [log] + (0..<32).map { "\(log).\($0)" }
        return names.filter { access($0, F_OK) == 0 }.map { ($0, FileText.bytes($0)) }
    }

    /// The contents of a domain's serial log, with its backups.
    func text(_ name: String) -> [UInt8] {
        Array(files(path + "/logs/\(name).log").reversed().map(\.bytes).joined())
    }
}
