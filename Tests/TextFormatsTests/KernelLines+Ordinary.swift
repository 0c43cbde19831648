// SPDX-License-Identifier: Apache-2.0

extension KernelLines {
    /// What boots of several systems print without fault, words of failures among it.
    static let ordinary = """
        .Modules linked in: nf_tables virtio_net
        .-----------------------------------------------------------------------------
        .Kernel Offset: disabled
        .Freeing unused kernel memory: 1024K
        .oom_reaper: reaped process 812 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB
        .EXT4-fs (vda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro
        .EXT4-fs (vda1): re-mounted. Opts: errors=remount-ro. Quota mode: none.
        .EXT4-fs (vda1): recovery complete
        .EXT4-fs (vda1): error count since last fsck: 0
        .EXT4-fs (sda1): error count since last fsck: 12
        .XFS (vda1): Ending clean mount
        .XFS (vda1): Starting recovery (logdev: internal)
        .BTRFS info (device sda1): bdev /dev/sda1 errs: wr 0, rd 0, flush 0, corrupt 12, gen 0
        .nfs: server 10.0.0.1 OK
        .md: md0 stopped.
        .kvm [1234]: vcpu0, guest rIP: 0x0 disabled perfctr wrmsr: 0xc1 data 0xffff
        .kvm-clock: cpu 0, msr 1, primary cpu clock
        .virtio_blk virtio1: [vda] request queue stopped
        .virtio-pci 0000:00:02.0: virtio_pci: leaving for legacy driver
        .ACPI: PM: Preparing to enter system sleep state S5
        .RAS: Correctable Errors collector initialized.
        .pcieport 0000:00:1c.0: AER: enabled with IRQ 24
        .pcieport 0000:00:1c.0: PME: Signaling with IRQ 24
        .ERST: Error Record Serialization Table (ERST) support is initialized.
        .EINJ: Error INJection is initialized.
        .HEST: Table parsing has been initialized.
        .BERT: [Hardware Error]: Skipped 1 error records
        .GHES: APEI firmware first mode is enabled by APEI bit and WHEA _OSC.
        .mce: CPU0: Thermal monitoring enabled (TM1)
        .mce: CPU supports 10 MCE banks
        .Kernel command line: BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro console=ttyS0 errors=panic oops=pani
        .Command line: BOOT_IMAGE=/vmlinuz-6.1 loglevel=3 systemd.log_level=debug severity=err
        .Spectre V2 : Mitigation: Enhanced / Automatic IBRS
        .Speculative Store Bypass: Vulnerable
        .panic_on_oops is enabled
        .printk: legacy console [ttyS0] enabled
        .Non-volatile memory driver v1.3
        .fail to initialize ptp_kvm
        .hrtimer: interrupt took 1234567 ns
        .audit: type=1400 audit(1.1:2): apparmor="STATUS" operation="profile_load" error=0
        .python3[123]: segfault at 0 ip 0000 sp 0000 error 4 in libc.so
        .traps: foo[123] trap invalid opcode ip:0 sp:0 error:0 in foo[1000+2000]
        .traps: foo[123] trap divide error ip:0 sp:0 error:0 in foo[1000+2000]
        .e1000: eth0 NIC Link is Down
        .IPv4: martian source 10.0.0.1 from 10.0.0.2, on dev eth0
        .psci: CPU1 killed (polled 0 ms)
        .random: crng reseeded due to virtual machine fork
        .Linux version 6.8.0-31-generic (buildd@lcy02-amd64-080) (x86_64-linux-gnu-gcc-13 (Ubuntu 13.2.0
        .Command line: BOOT_IMAGE=/vmlinuz-6.8.0-31-generic root=LABEL=cloudimg-rootfs ro console=tty1 c
        .KERNEL supported cpus:
        .x86/split lock detection: #AC: crashing the kernel on kernel split_locks and warning on user-sp
        .BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable
        .Hypervisor detected: KVM
        .kvm-clock: using sched offset of 5312 cycles
        .Early memory node ranges
        .Kernel command line: BOOT_IMAGE=/vmlinuz ro level=error severity=crit
        .Unknown kernel command line parameters "BOOT_IMAGE=/vmlinuz error=foo", will be passed to user
        .mem auto-init: stack:all(zero), heap alloc:on, heap free:off
        .Scanning 1 areas for low memory corruption
        .Memory: 3990000K/4193784K available (20480K kernel code)
        .rcu: Preemptible hierarchical RCU implementation.
        .rcu: 	RCU event tracing is enabled.
        .NR_IRQS: 524544, nr_irqs: 456, preallocated irqs: 16
        .Speculative Store Bypass: Mitigation: Speculative Store Bypass disabled via prctl
        .RETBleed: Vulnerable
        .smpboot: Estimated ratio of average max frequency by base frequency (times 1024): 1024
        .Performance Events: unsupported p6 CPU model 85 no PMU driver, software events only.
        .devtmpfs: initialized
        .ACPI: 1 ACPI AML tables successfully acquired and loaded
        .ACPI: _OSC evaluated successfully for all CPUs
        .acpi PNP0A08:00: _OSC: platform does not support [LTR]
        .acpi PNP0A08:00: _OSC: OS supports [ExtendedConfig ASPM ClockPM Segments MSI EDR HPX-Type3]
        .pci 0000:00:1f.2: [8086:2922] type 00 class 0x010601
        .pci 0000:00:1d.0: BAR 13: failed to assign [io  size 0x1000]
        .pci 0000:00:1d.0: BAR 13: no space for [io  size 0x1000]
        .SCSI subsystem initialized
        .NET: Registered PF_INET protocol family
        .Unpacking initramfs...
        .PCI-DMA: Using software bounce buffering for IO (SWIOTLB)
        .Initialise system trusted keyrings
        .Serial: 8250/16550 driver, 32 ports, IRQ sharing enabled
        .ERST DBG: ERST support is disabled.
        .ERST: Error Record Serialization Table (ERST) support is initialized.
        .EINJ: Error INJection is initialized.
        .pstore: Registered erst as persistent store backend
        .RAS: Correctable Errors collector initialized.
        .Run /init as init process
        .  with arguments:
        .    /init
        .ata1: SATA link down (SStatus 0 SControl 300)
        .usb usb1: New USB device found, idVendor=1d6b, idProduct=0002, bcdDevice= 6.08
        .sr 0:0:0:0: [sr0] scsi3-mmc drive: 4x/4x cd/rw xa/form2 tray
        .sd 0:0:0:0: Power-on or device reset occurred
        .sd 0:0:0:0: [sda] Write cache: enabled, read cache: enabled, doesn't support DPO or FUA
        .raid6: skipped pq benchmark and selected avx512x4
        .Btrfs loaded, zoned=yes, fsverity=yes
        .EXT4-fs (vda1): mounted filesystem 1234-5678 ro with ordered data mode. Quota mode: none.
        .EXT4-fs (vda1): orphan cleanup on readonly fs
        .EXT4-fs (vda1): re-mounted 1234 r/w. Quota mode: none.
        .EXT4-fs (vda1): INFO: recovery required on readonly filesystem
        .EXT4-fs (vda1): write access will be enabled during recovery
        .systemd[1]: Inserted module 'autofs4'
        .systemd[1]: systemd 255.4-1ubuntu8 running in system mode (+PAM +AUDIT +SELINUX +APPARMOR +IMA)
        .systemd[1]: Failed to find module 'foo'
        .systemd[1]: Started systemd-ask-password-console.path - Dispatch Password Requests to Console D
        .systemd[1]: Listening on systemd-coredump.socket - Process Core Dump Socket.
        .systemd[1]: Starting Load Kernel Module efi_pstore...
        .systemd[1]: Mounting Kernel Debug File System...
        .systemd[1]: modprobe@fuse.service: Deactivated successfully.
        .cloud-init[400]: ci-info: no authorized SSH keys fingerprints found for user ubuntu.
        .audit: type=1400 audit(1700000000.000:2): apparmor="STATUS" operation="profile_load" profile="u
        .random: crng init done
        .hv_vmbus: Vmbus version:5.3
        .hv_netvsc f8615163: VF slot 1 added
        .nvme nvme0: 2/0/0 default/read/poll queues
        .nvme nvme0: Ignoring bogus Namespace Identifiers
        .ena 0000:00:05.0: ENA device version: 0.10
        .SELinux:  policy capability network_peer_controls=1
        .IPv6: ADDRCONF(NETDEV_CHANGE): eth0: link becomes ready
        .cfg80211: failed to load regulatory.db
        .platform rtc_cmos: registered platform RTC device (no PNP device found)
        .rtc_cmos 00:04: setting system clock to 2024-01-01T00:00:00 UTC (1704067200)
        .alg: No test for pkcs1pad(rsa,sha512)
        .bridge: filtering via arp/ip/ip6tables is no longer available by default. Update your scripts t
        .Non-volatile memory driver v1.3
        .loop0: detected capacity change from 0 to 8
        .xfs filesystem being mounted at /var supports timestamps until 2038 (0x7fffffff)
        .XFS (dm-0): Mounting V5 Filesystem 1234
        .XFS (dm-0): Starting recovery (logdev: internal)
        .XFS (dm-0): Ending recovery (logdev: internal)
        .device-mapper: uevent: version 1.0.3
        .device-mapper: ioctl: 4.48.0-ioctl (2023-03-01) initialised: dm-devel@redhat.com
        .Freeing SMP alternatives memory: 44K
        .pcieport 0000:00:02.0: AER: enabled with IRQ 24
        .pcieport 0000:00:02.0: pciehp: Slot #0 AttnBtn+ PwrCtrl+ MRL- AttnInd+ PwrInd+ HotPlug+ Surpris
        .kvm: Nested Virtualization enabled
        .virtio-fs: tag <myfs> not found
        .9pnet: Installing 9P2000 support
        .clocksource: Switched to clocksource kvm-clock
        .i8042: PNP: No PS/2 controller found.
        .watchdog: Delayed init of the lockup detector failed: -19
        .hw perfevents: no interrupt-affinity property for /pmu, guessing.
        .OF: reserved mem: 0x0000000001000000..0x0000000001ffffff (16384 KiB) nomap non-reusable reserve
        .raspberrypi-firmware soc:firmware: Attached to firmware from 2023-01-05T10:46:54, variant start
        .sbi: SBI specification v1.0 detected
        .riscv: ELF capabilities acdfim
        .psci: PSCIv1.1 detected in firmware.
        .GICv3: 256 SPIs implemented
        .arm-smmu-v3 arm-smmu-v3.0.auto: msi_domain absent - falling back to wired irqs
        .SError detection is not available
        .EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0 IMC#0: DEV 0000:64:0
        .EDAC i10nm: v0.0.6
        .mce: CPU0: Core temperature/speed normal
        .NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.
        .printk: console [ttyS0] enabled
        .tun: Universal TUN/TAP device driver, 1.6
        .e1000: eth0 NIC Link is Up 1000 Mbps Full Duplex, Flow Control: RX
        .nvidia-nvlink: Nvlink Core is being initialized, major device number 237
        .cgroup: Disabled controller 'memory'
        .sysrq: Show Blocked State
        .bash (812): drop_caches: 3
        .perf: interrupt took too long (2512 > 2500), lowering kernel.perf_event_max_sample_rate to 7950
        .TCP: cubic registered
        .IPVS: ipvs loaded.
        .nfsd: last server has exited, flushing export cache
        .docker0: port 1(veth1234) entered blocking state
        .myapp[12]: retry: 0 errors -1
        .myapp[12]: I/O error, dev vda is a text
        .mdadm[200]: 0 failed
        .test: 3 passed, 0 failed
        .virtio_net virtio0 enp1s0: renamed from eth0
        .squashfs: version 4.0 (2009/01/31) Phillip Lougher
        .fuse: init (API version 7.39)
        .kauditd_printk_skb: 24 callbacks suppressed
        .blk_update_request: 12 callbacks suppressed
        .buffer_io_error: 12 callbacks suppressed
        .tsc: Marking TSC unstable due to clocksource watchdog
        .jitterentropy: Initialization failed with host not compliant with requirements: 9
        .ky-wlan rf-pwrseq:wlan-pwrseq: get platform irq failed, try to get gpio irq
        .x1-dwc-pcie ca400000.pcie: Phy link never came up
        .db_root: cannot open: /etc/target
        .tcp_listen_portaddr_hash hash table entries: 4096 (order: 5, 131072 bytes, linear)
        .piix4_smbus 0000:00:01.3: SMBus base address uninitialized - upgrade BIOS or use force_addr=0xaddr
        .RAPL PMU: API unit is 2^-32 Joules, 0 fixed counters, 10737418240 ms ovfl timer
        .new mount options do not match the existing superblock, will be ignored
        .nouveau failed to find chip GF-E
        """
}
