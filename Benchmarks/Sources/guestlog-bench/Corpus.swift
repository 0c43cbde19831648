// SPDX-License-Identifier: Apache-2.0

/// Text to measure with, the same on every run: made from a seed, not stored in a file.
enum Corpus {
    /// Lines like a kernel's and systemd's at boot, about 65 bytes each, with numbers that differ from boot to boot.
    static func boot(bytes: Int, seed: UInt64 = 1) -> [UInt8] {
        make(bytes: bytes, seed: seed) { text, random in
            var microseconds: UInt64 = 0
            for line in bootLines {
                microseconds += random.below(40_000)
                if line.first == UInt8(ascii: "@") {
                    let fraction = String(microseconds % 1_000_000)
                    text.append(UInt8(ascii: "["))
                    text.append(padded: String(microseconds / 1_000_000), to: 5, with: UInt8(ascii: " "))
                    text.append(UInt8(ascii: "."))
                    text.append(padded: fraction, to: 6, with: UInt8(ascii: "0"))
                    text.append(contentsOf: "] ".utf8)
                    text.append(template: line.dropFirst(), &random)
                } else {
                    text.append(template: line[...], &random)
                }
            }
        }
    }

    /// Lines like a web application's syslog, about 128 bytes each, with random ids, addresses and UUIDs.
    static func application(bytes: Int, seed: UInt64 = 2) -> [UInt8] {
        var milliseconds: UInt64 = 0
        return make(bytes: bytes, seed: seed) { text, random in
            milliseconds += random.below(50)
            let seconds = milliseconds / 1000
            text.append(contentsOf: "<30>2026-11-20T".utf8)
            text.append(padded: String(seconds / 3600 % 24), to: 2, with: UInt8(ascii: "0"))
            text.append(UInt8(ascii: ":"))
            text.append(padded: String(seconds / 60 % 60), to: 2, with: UInt8(ascii: "0"))
            text.append(UInt8(ascii: ":"))
            text.append(padded: String(seconds % 60), to: 2, with: UInt8(ascii: "0"))
            text.append(UInt8(ascii: "."))
            text.append(padded: String(milliseconds % 1000), to: 3, with: UInt8(ascii: "0"))
            text.append(contentsOf: "Z shop-3 ".utf8)
            text.append(template: applicationLines[Int(random.below(UInt64(applicationLines.count)))][...], &random)
        }
    }

    /// Lines of the application corpus cut or filled to 80 bytes, the line feed included.
    static func lines80(bytes: Int) -> [UInt8] {
        let text = application(bytes: bytes * 2)
        var lines: [UInt8] = []
        lines.reserveCapacity(bytes + 80)
        for line in text.split(separator: UInt8(ascii: "\n")) where lines.count < bytes {
            lines.append(contentsOf: line.prefix(79))
            lines.append(contentsOf: repeatElement(UInt8(ascii: "."), count: max(0, 79 - line.count)))
            lines.append(UInt8(ascii: "\n"))
        }
        return lines
    }

    private static func make(
        bytes: Int,
        seed: UInt64,
        _ more: (inout [UInt8], inout SeededGenerator) -> Void
    ) -> [UInt8] {
        var random = SeededGenerator(seed: seed)
        var text: [UInt8] = []
        text.reserveCapacity(bytes + (64 << 10))
        while text.count < bytes {
            more(&text, &random)
        }
        return text
    }

    // In templates %d is a number below 10,000, %x eight hexadecimal digits, %i an IPv4 address, %u a UUID. A line that
    // begins with @ gets the kernel's time stamp.
    private static let applicationLines: [[UInt8]] = [
        "nginx[811]: %i GET /api/v1/items/%d?page=%d 200 %d 0.0%d \"Mozilla/5.0 (X11; Linux x86_64)\" rt=0.%d\n",
        "nginx[811]: %i POST /api/v1/orders 201 %d 0.%d \"okhttp/4.12.0\" request_id=%u\n",
        "orders[2214]: INFO order accepted order=%d customer=%d total=%d.00 currency=EUR request_id=%u\n",
        "orders[2214]: DEBUG cache lookup key=session:%x hit=true age=%ds shard=%d backend=%i:6379\n",
        "payments[2377]: INFO authorised amount=%d.50 merchant=%d auth=%x latency_ms=%d gateway=%i\n",
        "postgres[1190]: LOG: duration: %d.%d ms execute <unnamed>: SELECT * FROM items WHERE id = $1 AND shop = %d\n",
        "sshd[%d]: Received disconnect from %i port 4%d:11: Bye Bye [preauth] session closed for user deploy\n",
        "worker[3001]: WARN retrying job=%u attempt=3 queue=mail delay_ms=%d error=\"connection refused\"\n",
        "kubelet[702]: I1120 reconciler.go:%d] operationExecutor.VerifyControllerAttachedVolume pod UID %u started\n",
        "envoy[915]: upstream cluster=orders host=%i:8080 status=200 bytes=%d duration=%d upstream_time=%d\n",
    ].map { (line: String) in Array(line.utf8) }

    private static let bootLines: [[UInt8]] = [
        "@Linux version 6.1.0-26-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)\n",
        "@Command line: BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro console=ttyS0,115200n8 quiet\n",
        "@BIOS-provided physical RAM map:\n",
        "@BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\n",
        "@BIOS-e820: [mem 0x00000000000f0000-0x00000000000fffff] reserved\n",
        "@NX (Execute Disable) protection: active\n",
        "@SMBIOS 2.8 present.\n",
        "@DMI: QEMU Standard PC (Q35 + ICH9, 2009), BIOS 1.16.2-debian-1.16.2-1 04/01/2014\n",
        "@Hypervisor detected: KVM\n",
        "@kvm-clock: Using msrs 4b564d01 and 4b564d00\n",
        "@tsc: Detected 2%d.%d MHz processor\n",
        "@last_pfn = 0x%x max_arch_pfn = 0x400000000\n",
        "@ACPI: RSDP 0x00000000%x 000014 (v00 BOCHS )\n",
        "@ACPI: FACP 0x00000000%x 0000F4 (v03 BOCHS  BXPC     00000001 BXPC 00000001)\n",
        "@Zone ranges:\n",
        "@  DMA      [mem 0x0000000000001000-0x0000000000ffffff]\n",
        "@  DMA32    [mem 0x0000000001000000-0x00000000%x]\n",
        "@Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro console=ttyS0,115200n8 quiet\n",
        "@Memory: 20%d2K/2096632K available (14342K kernel code, 2332K rwdata, 9060K rodata)\n",
        "@rcu: Hierarchical RCU implementation.\n",
        "@Calibrating delay loop (skipped) preset value.. 5%d.%d BogoMIPS (lpj=%d0)\n",
        "@smp: Brought up 1 node, 2 CPUs\n",
        "@devtmpfs: initialized\n",
        "@NET: Registered PF_NETLINK/PF_ROUTE protocol family\n",
        "@pci 0000:00:1f.2: [8086:2922] type 00 class 0x010601\n",
        "@pci 0000:00:1f.2: reg 0x24: [mem 0x%x-0x%x]\n",
        "@SCSI subsystem initialized\n",
        "@TCP established hash table entries: 16384 (order: 5, 131072 bytes, linear)\n",
        "@Unpacking initramfs...\n",
        "@Freeing initrd memory: %dK\n",
        "@Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled\n",
        "@virtio_blk virtio1: [vda] 41943040 512-byte logical blocks (21.5 GB/20.0 GiB)\n",
        "@ vda: vda1 vda14 vda15\n",
        "@virtio_net virtio0 enp1s0: renamed from eth0\n",
        "@EXT4-fs (vda1): mounted filesystem %u with ordered data mode. Quota mode: none.\n",
        "@systemd[1]: systemd 252.30-1~deb12u2 running in system mode (+PAM +AUDIT +SELINUX +APPARMOR)\n",
        "@systemd[1]: Detected virtualization kvm.\n",
        "@systemd[1]: Detected architecture x86-64.\n",
        "@systemd[1]: Hostname set to <guest-%d>.\n",
        "@systemd[1]: Created slice system-getty.slice - Slice /system/getty.\n",
        "@systemd[1]: Listening on systemd-journald.socket - Journal Socket.\n",
        "@systemd[1]: Mounting dev-hugepages.mount - Huge Pages File System...\n",
        "@systemd[1]: Starting systemd-modules-load.service - Load Kernel Modules...\n",
        "@systemd[1]: Mounted dev-hugepages.mount - Huge Pages File System.\n",
        "@systemd-journald[%d]: Received client request to flush runtime journal.\n",
        "[  OK  ] Finished systemd-udev-trigger.service - Coldplug All udev Devices.\n",
        "[  OK  ] Reached target sysinit.target - System Initialization.\n",
        "[  OK  ] Started dbus.service - D-Bus System Message Bus.\n",
        "         Starting networking.service - Raise network interfaces...\n",
        "[  OK  ] Started ssh.service - OpenBSD Secure Shell server.\n",
        "cloud-init[%d]: Cloud-init v. 22.4.2 running 'modules:final'. Up %d.%d seconds.\n",
        "[  OK  ] Reached target multi-user.target - Multi-User System.\n",
        "Debian GNU/Linux 12 guest-%d ttyS0\n",
        "guest-%d login: \n",
    ].map { (line: String) in Array(line.utf8) }
}

extension [UInt8] {
    mutating func append(padded text: String, to width: Int, with filler: UInt8) {
        append(contentsOf: repeatElement(filler, count: Swift.max(0, width - text.utf8.count)))
        append(contentsOf: text.utf8)
    }

    fileprivate mutating func append(template: ArraySlice<UInt8>, _ random: inout SeededGenerator) {
        var at = template.startIndex
        while at < template.endIndex {
            let byte = template[at]
            guard byte == UInt8(ascii: "%") else {
                append(byte)
                at += 1
                continue
            }
            switch template[at + 1] {
            case UInt8(ascii: "x"):
                appendHexadecimal(8, &random)
            case UInt8(ascii: "i"):
                append(contentsOf: "10.\(random.below(256)).\(random.below(256)).\(random.below(256))".utf8)
            case UInt8(ascii: "u"):
                for (index, digits) in [8, 4, 4, 4, 12].enumerated() {
                    if index > 0 {
                        append(UInt8(ascii: "-"))
                    }
                    appendHexadecimal(digits, &random)
                }
            default:
                append(contentsOf: String(random.below(10_000)).utf8)
            }
            at += 2
        }
    }

    private mutating func appendHexadecimal(_ digits: Int, _ random: inout SeededGenerator) {
        var bits = random.next()
        for _ in 0..<digits {
            let digit = UInt8(truncatingIfNeeded: bits & 15)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            bits >>= 4
        }
    }
}

/// Random numbers that can be had again: SplitMix64.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ limit: UInt64) -> UInt64 {
        next() % limit
    }
}
