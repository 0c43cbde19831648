// SPDX-License-Identifier: Apache-2.0

/// Console output of systems and firmware, with the severity of each line: what its printer's level is, or, where the
/// console has none, what a reader would say.
///
/// The first character of a line: `.` none or less than a warning, `w` warning, `e` error, `c` critical, `a` alert,
/// `m` emergency.
enum BootLogs {
    static let all: [(name: String, text: String)] = [
        ("Debian on QEMU", debian), ("a failing disk", disk), ("hung and crashing kernels", crash),
        ("a kernel on Arm", arm), ("FreeBSD", freeBSD), ("OpenBSD and NetBSD", otherBSD), ("illumos", illumos),
        ("Windows and firmware", windows), ("Alpine and services", services),
    ]

    private static let debian = """
        .SeaBIOS (version 1.16.2-debian-1.16.2-1)
        .Booting from Hard Disk...
        .GRUB loading.
        .Welcome to GRUB!
        .[    0.000000] Linux version 6.1.0-18-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)
        .[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz root=/dev/vda1 ro console=ttyS0 errors=remount-ro panic=1
        .[    0.000000] BIOS-provided physical RAM map:
        .[    0.000000] x86/fpu: x87 FPU will use FXSAVE
        .[    0.000000] tsc: Fast TSC calibration failed
        .[    0.009461] ACPI: Early table checksum verification disabled
        .[    0.121100] Spectre V2 : Mitigation: Retpolines
        .[    0.121200] Spectre V2 : Spectre v2 / SpectreRSB mitigation: Filling RSB on context switch
        .[    0.143500] rcu: Hierarchical SRCU implementation.
        .[    0.210000] NMI watchdog: Perf NMI watchdog permanently disabled
        .[    0.313000] EDAC MC: Ver: 3.0.0
        .[    0.420000] HugeTLB: registered 1.00 GiB page size, pre-allocated 0 pages
        .[    0.527000] ACPI: Interpreter enabled
        .[    0.530000] acpi PNP0A03:00: fail to add MMCONFIG information, can't access extended configuration space
        .[    0.610000] pci 0000:00:01.3: quirk: [io  0x0600-0x063f] claimed by PIIX4 ACPI
        .[    0.890000] PM: RTC time: 12:00:00, date: 2024-03-01
        .[    1.020000] Key type asymmetric registered
        .[    1.100000] Serial: 8250/16550 driver, 4 ports, IRQ sharing enabled
        .[    1.230000] i8042: PNP: PS/2 Controller [PNP0303:KBD,PNP0f13:MOU] at 0x60,0x64 irq 1,12
        .[    1.300000] registered taskstats version 1
        .[    1.405000] virtio_blk virtio1: [vda] 20971520 512-byte logical blocks (10.7 GB/10.0 GiB)
        .[    1.650000] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none.
        .[    1.900000] systemd[1]: systemd 252.22-1~deb12u1 running in system mode (+PAM +AUDIT -APPARMOR)
        .[    1.902000] systemd[1]: Detected virtualization kvm.
        .[    2.100000] systemd[1]: Hostname set to <web>.
        .[    2.300000] random: crng init done
        .[    2.400000] audit: type=1404 audit(1709294400.000:2): enforcing=1 old_enforcing=0 res=1
        .[  OK  ] Created slice system-getty.slice - Slice /system/getty.
        .[  OK  ] Reached target local-fs.target - Local File Systems.
        .         Starting systemd-journald.service - Journal Service...
        e[DEPEND] Dependency failed for mnt-data.mount - /mnt/data.
        e[FAILED] Failed to start networking.service - Raise network interfaces.
        e[ TIME ] Timed out waiting for device dev-vdb.device - /dev/vdb.
        .See 'systemctl status networking.service' for details.
        e[    9.100000] systemd[1]: Failed to start networking.service - Raise network interfaces.
        w[    9.200000] systemd[1]: Dependency failed for mnt-data.mount - /mnt/data.
        e[    9.300000] systemd[1]: Timed out waiting for device dev-vdb.device - /dev/vdb.
        .[    9.400000] systemd[1]: networking.service: Scheduled restart job, restart counter is at 1.
        .
        .Debian GNU/Linux 12 web ttyS0
        .
        .web login: root
        .Last login: Fri Mar  1 12:00:00 UTC 2024 on ttyS0
        .root@web:~# echo no error: 0 errors
        .[   60.000000] reboot: Restarting system
        """

    private static let disk = """
        .[   10.000000] sd 0:0:0:0: [sda] Attached SCSI disk
        .[   10.100000] XFS (sdb1): Mounting V5 Filesystem
        .[   10.200000] XFS (sdb1): Ending clean mount
        .[   10.300000] BTRFS info (device sdc): using crc32c (crc32c-intel) checksum algorithm
        e[  100.000000] ata1.00: exception Emask 0x0 SAct 0x0 SErr 0x0 action 0x0
        e[  100.100000] ata1.00: failed command: READ DMA
        e[  100.200000] blk_update_request: I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 0
        e[  100.300000] I/O error, dev sda, sector 2048 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2
        e[  100.400000] Buffer I/O error on dev sda1, logical block 0, lost async page write
        e[  100.500000] critical medium error, dev sda, sector 4096 op 0x0:(READ) flags 0x80700
        c[  100.600000] EXT4-fs error (device sda1): ext4_find_entry:1455: inode #2: comm ls: reading directory lblock 0
        w[  100.700000] EXT4-fs warning (device sda1): ext4_end_bio:343: I/O error 10 writing to inode 12
        e[  100.800000] Aborting journal on device sda1-8.
        c[  100.900000] EXT4-fs (sda1): Remounting filesystem read-only
        e[  101.000000] JBD2: Error -5 detected when updating journal superblock for sda1-8.
        a[  101.100000] XFS (sdb1): metadata I/O error in "xfs_buf_ioend+0x2a1/0x2d0" at daddr 0x1 len 1 error 5
        a[  101.200000] XFS (sdb1): log I/O error -5
        a[  101.300000] XFS (sdb1): Corruption of in-memory data (0x8) detected at xfs_defer_finish. Shutting down filesystem.
        a[  101.400000] XFS (sdb1): Metadata corruption detected at xfs_agf_read_verify, xfs_agf block 0x1
        a[  101.500000] XFS (sdb1): Filesystem has been shut down due to log error (0x2).
        e[  101.600000] BTRFS error (device sdc): bdev /dev/sdc errs: wr 1, rd 0, flush 0, corrupt 0, gen 0
        w[  101.700000] BTRFS warning (device sdc): csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2 mirror 1
        c[  101.800000] BTRFS critical (device sdc): corrupt leaf: root=2 block=1 slot=0
        c[  101.900000] BTRFS: error (device sdc) in btrfs_commit_transaction:2494: errno=-5 IO failure
        c[  102.000000] md/raid1:md0: Disk failure on sda1, disabling device.
        w[  102.100000] nvme nvme0: I/O 12 QID 2 timeout, aborting
        .[  102.200000] EXT4-fs (sda1): error count since last fsck: 4
        .[  102.300000] sd 0:0:0:0: [sda] Synchronizing SCSI cache
        """

    private static let crash = """
        .[  100.000000] myprog[812]: segfault at 0 ip 0000000000401136 sp 00007ffc error 4 in myprog[401000+1000]
        w[  100.100000] java invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0
        e[  100.200000] Out of memory: Killed process 812 (java) total-vm:1234kB, anon-rss:123kB
        e[  100.300000] Memory cgroup out of memory: Killed process 813 (java) total-vm:1234kB
        .[  100.400000] oom_reaper: reaped process 812 (java), now anon-rss:0kB
        e[  200.000000] INFO: task jbd2/vda1-8:231 blocked for more than 120 seconds.
        .[  200.100000]       Not tainted 6.1.0-18-amd64 #1 Debian 6.1.76-1
        .[  200.200000] task:jbd2/vda1-8     state:D stack:0     pid:231   ppid:2      flags:0x00004000
        w[  200.300000] Call Trace:
        e[  210.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
        e[  210.100000] rcu: INFO: rcu_sched self-detected stall on CPU
        e[  210.200000] rcu: rcu_preempt kthread starved for 5250 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0
        e[  210.300000] INFO: rcu_sched detected stalls on CPUs/tasks: { 1} (detected by 0, t=60002 jiffies)
        m[  220.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [kworker/0:1:13]
        m[  220.100000] NMI watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [kworker/0:1:13]
        m[  220.200000] NMI watchdog: Watchdog detected hard LOCKUP on cpu 1
        a[  230.000000] BUG: unable to handle page fault for address: ffffffffffffffd8
        a[  230.050000] BUG: KASAN: use-after-free in foo+0x1/0x2
        a[  230.100000] Oops: 0000 [#1] PREEMPT SMP NOPTI
        a[  230.200000] general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1] SMP
        w[  230.300000] WARNING: CPU: 0 PID: 1 at kernel/sched/core.c:1 foo+0x1/0x2
        .[  230.400000] RIP: 0010:foo+0x1/0x2
        .[  230.500000] Modules linked in: virtio_net
        m[  231.000000] Kernel panic - not syncing: Fatal exception in interrupt
        .[  231.100000] Kernel Offset: 0x1a000000 from 0xffffffff81000000
        m[  231.200000] ---[ end Kernel panic - not syncing: Fatal exception in interrupt ]---
        m[  232.000000] mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 4: b200000000070005
        """

    private static let arm = """
        .U-Boot 2023.01 (Jan 09 2023 - 16:07:33 +0000)
        .DRAM:  128 MiB
        w*** Warning - bad CRC, using default environment
        .Hit any key to stop autoboot:  0
        eBad Linux ARM64 Image magic!
        .Starting kernel ...
        .[    0.000000] Booting Linux on physical CPU 0x0000000000 [0x410fd034]
        .[    0.000000] Machine model: linux,dummy-virt
        .[    0.100000] SError detection is not available
        .[    1.000000] hw perfevents: enabled with armv8_pmuv3 PMU driver, 5 counters available
        a[   10.000000] Unable to handle kernel paging request at virtual address ffff800012345678
        m[   10.100000] Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP
        w[   10.200000] Call trace:
        e[   11.000000] usb 1-1: device descriptor read/64, error -71
        w[   12.000000] [Firmware Bug]: CPU features: unusual value
        """

    private static let freeBSD = """
        .---<<BOOT>>---
        .Copyright (c) 1992-2023 The FreeBSD Project.
        .FreeBSD 14.0-RELEASE #0 releng/14.0-n265380: Fri Nov 10 05:57:23 UTC 2023
        .VT(vga): resolution 640x480
        .CPU: QEMU Virtual CPU version 2.5+ (2112.00-MHz K8-class CPU)
        .real memory  = 536870912 (512 MB)
        .Event timer "LAPIC" quality 100
        .ada0: <QEMU HARDDISK 2.5+> ATA-7 device
        .Trying to mount root from ufs:/dev/ada0p2 [rw]...
        wWARNING: / was not properly dismounted
        .Setting hostuuid: 1234.
        .Starting file system checks:
        .pid 812 (foo), jid 0, uid 0: exited on signal 11 (core dumped)
        eg_vfs_done():ada0p2[READ(offset=4096, length=4096)]error = 5
        eswap_pager: out of swap space
        mFatal trap 12: page fault while in kernel mode
        mpanic: page fault
        .cpuid = 0
        .Uptime: 1m2s
        .Automatic reboot in 15 seconds - press a key on the console to abort
        """

    private static let otherBSD = """
        .>> OpenBSD/amd64 BOOT 3.65
        .booting hd0a:/bsd: 15628168+3785736+354768+0+1236992 [1139270+128+1225344+928521]=0x17341d0
        .Copyright (c) 1982, 1986, 1989, 1991, 1993
        .OpenBSD 7.4 (GENERIC.MP) #1397: Tue Oct 10 09:02:37 MDT 2023
        .real mem = 519954432 (495MB)
        .root on sd0a (abcdef.a) swap on sd0b dump on sd0b
        .Automatic boot in progress: starting file system checks.
        auvm_fault(0xffffffff82345678, 0x0, 0, 1) -> e
        akernel: page fault trap, code=0
        mpanic: kernel diagnostic assertion "x" failed
        .[   1.0000000] NetBSD 9.3 (GENERIC) #0: Thu Aug  4 15:30:37 UTC 2022
        .[   1.0000000] total memory = 511 MB
        w[   1.0000000] WARNING: module error: vfs load failed for `fdesc'
        .[   1.0400000] wd0 at atabus0 drive 0
        """

    private static let illumos = """
        .SunOS Release 5.11 Version joyent_20210101T000000Z 64-bit
        .Copyright (c) 2010-2021, Joyent Inc. All rights reserved.
        .Hostname: web
        wWARNING: /etc/svc/volatile: File system full, swap space limit exceeded
        .NOTICE: vioif0: link up
        mpanic[cpu0]/thread=fffffe0007a05c40: BAD TRAP: type=e (#pf Page fault) rp=fffffe0007a05a50
        .dumping to /dev/zvol/dsk/zones/dump, offset 65536, content: kernel
        .rebooting...
        """

    private static let windows = """
        .Computer is booting, SAC started and initialized.
        .Use the "ch -?" command for information about using channels.
        .SAC>
        .EVENT: The CMD command is now available.
        m*** STOP: 0x0000007E (0xC0000005,0xF7A23456,0xF7A12345,0xF7A11111)
        .UEFI firmware (version edk2-stable202302 built at 12:00:00 on Feb 24 2023)
        .BdsDxe: loading Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x3,0x0)
        eBdsDxe: failed to load Boot0001 "UEFI PXEv4" from PciRoot(0x0)/Pci(0x3,0x0): Not Found
        eNo bootable device.
        eBoot failed: not a bootable disk
        eerror: no such device: 1234-abcd.
        .iPXE 1.21.1 -- Open Source Network Boot Firmware -- https://ipxe.org
        """

    private static let services = """
        .   OpenRC 0.48 is starting up Linux 6.1.38-0-virt (x86_64)
        . * Mounting /proc ... [ ok ]
        e * ERROR: networking failed to start
        w * WARNING: clock skew detected!
        .Mar  1 12:00:00 web sshd[812]: Server listening on 0.0.0.0 port 22.
        eMar  1 12:00:01 web sshd[812]: error: Bind to port 22 on 0.0.0.0 failed: Address already in use.
        m[    5.000000] systemd[1]: Freezing execution.
        wdracut-initqueue[300]: Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks:
        cdracut: FATAL: No or empty root= argument
        eYou are in emergency mode. After logging in, type "journalctl -xb" to view system logs.
        .{"level":"info","msg":"no error"}
        e{"level":"error","msg":"connection refused"}
        e2024-03-01T12:00:00Z level=error msg="connection refused"
        .cloud-init[400]: Cloud-init v. 23.1.2 finished at Fri, 01 Mar 2024 12:00:00 +0000.
        .[   20.000000] systemd-journald[200]: Received client request to flush runtime journal.
        .mysqld: ready for connections; 0 errors, 0 warnings
        """
}
