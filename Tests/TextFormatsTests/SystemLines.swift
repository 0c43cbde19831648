// SPDX-License-Identifier: Apache-2.0

/// Lines of firmware, boot loaders, early user space, other systems than Linux, and hypervisors, each with its severity
/// as in `BootLogs`.
enum SystemLines {
    static let all: [(name: String, text: String)] = [("alarms", alarms), ("ordinary lines", ordinary)]

    private static let alarms = #"""
        e[FAILED] Failed to start ssh.service - OpenBSD Secure Shell server.
        e[FAILED] Failed to mount /boot/efi.
        e[DEPEND] Dependency failed for Local File Systems.
        e[ TIME ] Timed out waiting for device /dev/disk/by-uuid/abc.
        .[  OK  ] Stopped target Emergency Mode.
        .[  OK  ] Reached target Local File Systems.
        .         Starting Load Error Reporting Daemon...
        .[  OK  ] Started Error Reporting Service.
        .[  OK  ] Finished fatal-error-report.service - Report Fatal Errors.
        .[ SKIP ] Ordering cycle found, skipping systemd-tmpfiles-setup.service
        m[!!!!!!] Failed to mount API filesystems.
        m[!!!!!!] Failed to start up manager.
        .[*     ] A start job is running for dev-vda2.device (5s / 1min 30s)
        eYou are in emergency mode. After logging in, type "journalctl -xb" to view
        eCannot open access to console, the root account is locked.
        eGive root password for maintenance
        eEntering emergency mode. Exit the shell to continue.
        .Generating "/run/initramfs/rdsosreport.txt"
        wdracut-initqueue[245]: Warning: dracut-initqueue timeout - starting timeout scripts
        wWarning: /dev/mapper/root does not exist
        edracut Warning: Could not boot.
        emount: /sysroot: wrong fs type, bad option, bad superblock on /dev/vda3
        emount: mounting /dev/vda1 on /root failed: No such device
        aALERT!  /dev/vda2 does not exist.  Dropping to a shell!
        aALERT!  UUID=xxx does not exist.  Dropping to a shell!
        eGave up waiting for root file system device.  Common problems:
        erun-init: can't execute '/sbin/init': No such file or directory
        eTarget filesystem doesn't have requested /sbin/init.
        eNo init found. Try passing init= bootarg.
        efsck exited with status code 4
        e/dev/vda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.
        ./dev/vda1: clean, 12345/65536 files, 12345/262144 blocks
        ./dev/vda1: recovering journal
        e*** An error occurred during the file system check.
        emdadm: failed to start array /dev/md0: Input/output error
        ecryptsetup: ERROR: vda3_crypt: maximum number of tries exceeded
        wcryptsetup: WARNING: vda3_crypt: cannot find device
        e  Volume group "vg0" not found
        e  Cannot process volume group vg0
        cmodprobe: FATAL: Module foo not found in directory /lib/modules/6.1.0
        emodprobe: ERROR: could not insert 'foo': Invalid argument
        eINIT: Id "x" respawning too fast: disabled for 5 minutes
        .Starting network: OK
        eStarting network: FAIL
        eStarting sshd: [FAILED]
        .Starting sshd: [  OK  ]
        e * Starting sshd ...                                              [ !! ]
        e * ERROR: sshd failed to start
        w * WARNING: clock skew detected!
        . * Checking local filesystems  ... [ ok ]
        e[FAIL] Starting web server: apache2 failed!
        w[warn] Creating required directories ... (warning).
        .[ ok ] Starting enhanced syslogd: rsyslogd.
        .[info] Loading kernel module loop.
        e[....] Starting web server: apache2 failed!
        eJob for nginx.service failed because the control process exited with error code.
        mpanic: runtime error: invalid memory address or nil pointer dereference
        .ci-info: | Route | Destination | Gateway | Genmask | Interface | Flags |
        eqemu-system-x86_64: -drive file=x: Could not open 'x': No such file or directory
        mKVM internal error. Suberror: 1
        mKVM: entry failed, hardware error 0x80000021
        eerror: kvm run failed Bad address
        mpanic: ffs_blkfree_cg: freeing free frag
        mpanic: kernel diagnostic assertion "x" failed: file "y", line 1
        mpanic: mtx_lock() of destroyed mutex @ /usr/src/sys/x.c:1
        mFatal trap 12: page fault while in kernel mode
        mkernel trap 12 with interrupts disabled
        afault virtual address   = 0x0
        .current process         = 12 (swi4: clock)
        mKDB: enter: panic
        .ada0: <QEMU HARDDISK> s/n QM1 detached
        e(da0:umass-sim0:0:0:0): CAM status: SCSI Status Error
        eg_vfs_done():ada0p2[WRITE(offset=1, length=2)]error = 5
        epid 812 (foo), jid 0, uid 0, was killed: out of swap space
        epid 812 (foo), jid 0, uid 0, was killed: failed to reclaim memory
        eswap_pager: I/O error - pagein failed; blkno 1
        eMounting from ufs:/dev/ada0p2 failed with error 19.
        .mountroot>
        eAutomatic file system check failed; help!
        eERROR: ABORTING BOOT (sending SIGTERM to parent)!
        wWARNING: / was not properly dismounted
        e/dev/ada0p2: CANNOT WRITE: BLK 1
        envme0: Resetting controller due to a timeout.
        evtnet0: watchdog timeout on queue 0
        .acpi0: <QEMU> on motherboard
        auvm_fault(0xffffffff81e4d4e0, 0x0, 0, 1) -> e
        mfatal page fault in supervisor mode
        mStopped at      ffs_blkfree+0x12:  movq
        .ddb{0}>
        ewd0a: error reading fsbn 0 (wd0 bn 0; cn 0 tn 0 sn 0), retrying
        mpanic[cpu0]/thread=fffffe0000001: BAD TRAP: type=e
        wWARNING: /pci@0,0/pci1af4,2@5/blkdev@0,0 (blkdev0):
        .NOTICE: vm_quiesce: x
        eSUNW-MSG-ID: ZFS-8000-D3, TYPE: Fault, VER: 1, SEVERITY: Major
        esvc:/network/ssh:default: Method "/lib/svc/method/sshd start" failed with exit status 95.
        eRequesting System Maintenance Mode
        m*** STOP: 0x0000007B (0xFFFFF880009A97E8,0xFFFFFFFFC0000034,0x0,0x0)
        .EVENT: The CMD command is now available.
        m<INSTANCE CLASSNAME="BLUESCREEN">
        .SUNW-MSG-ID: ZFS-8000-D3, TYPE: Repair, VER: 1, SEVERITY: Minor
        .qemu-system-x86_64: terminating on signal 15 from pid 1
        wqemu-system-x86_64: warning: host doesn't support requested feature
        mA problem has been detected and Windows has been shut down to prevent damage
        mYour PC ran into a problem and needs to restart.
        eWindows failed to start. A recent hardware or software change might be the cause.
        e    Status: 0xc000000f
        eBOOTMGR is missing
        eAn operating system wasn't found. Try disconnecting any drives that don't
        .SAC>
        eBoot failed: not a bootable disk
        eBoot failed: could not read the boot disk
        eNo bootable device.
        eNon-System disk or disk error
        eOperating system not found
        eBdsDxe: failed to load Boot0001 "UEFI QEMU HARDDISK" from PciRoot(0x0): Not Found
        eBdsDxe: No bootable option or device was found.
        .BdsDxe: loading Boot0001 "debian" from HD(1,GPT,x)/\EFI\debian\shimx64.efi
        m!!!! X64 Exception Type - 0E(#PF - Page-Fault)  CPU Apic ID - 00000000 !!!!
        mSynchronous Exception at 0x000000013F6E1D2C
        eASSERT [DxeCore] /build/x.c(1): Foo
        eerror: no such device: 1234-abcd.
        eerror: file `/boot/grub/i386-pc/normal.mod' not found.
        eerror: ../../grub-core/kern/efi/sb.c:182:bad shim signature.
        eerror: unknown filesystem.
        egrub rescue>
        eEntering rescue mode...
        eVerification failed: (0x1A) Security Violation
        eU-Boot: ERROR: reserving fdt memory region failed
        eWrong Ramdisk Image Format
        eBad Linux RISCV Image magic!
        eERROR: can't get kernel image!
        e** Invalid partition 1 **
        e** No partition table - mmc 0 **
        eCard did not respond to voltage select! : -110
        w*** Warning - No block device, using default environment
        w*** Warning - bad CRC, using default environment
        .Retry count exceeded; starting again
        mdata abort
        mundefined instruction
        mprefetch abort
        mUnhandled exception: Illegal instruction
        einitcall failed at call 0x (err=-22)
        m### ERROR ### Please RESET the board ###
        eERROR:   Error initializing runtime service opteed_fast
        mPANIC at PC : 0x000000000402
        einit_coldboot: platform init failed (error -3)
        eNo more network devices
        eCould not boot: Connection timed out (https://ipxe.org/4c0a6092)
        ePXE-E53: No boot filename received
        ePXE-E16: No offer received.
        .>>Start PXE over IPv4.
        m(XEN) Panic on CPU 0:
        m(XEN) Xen BUG at mm.c:123
        c(XEN) d1v0 Triple fault - invoking HVM shutdown action 1
        e(XEN) d0v0 Unhandled page fault fault/trap [#14, ec=0000]
        w(XEN) *** WARNING: x
        """#

    /// What looks like an alarm and is none.
    private static let ordinary = #"""
        .Verification of the disk
        .Starting network: OK
        .Starting a FAIL test
        .Boot from disk
        .Job 12 done
        .run-parts: executing x
        .mounting /dev/vda1 on /root
        .mount: /dev/vda1 mounted on /root
        .data aborted the run
        .undefined instructions are none
        .Status: ok
        .    Status: 200
        .Unhandled is a word
        .Your PC is ready
        .Windows is starting
        .BOOTMGR loading
        .BOOTMGR
        .pid 812 started
        .(cd0:ata1:0:0:0): CAM status: SCSI Status Error
        .(da0:umass-sim0:0:0:0): Retrying command
        .(XEN) d1v0 Over-allocation for domain
        .(XEN) d0 has maximum 1 vcpus
        .(XEN) Xen version 4.17.0
        .PXE-M0F: Exiting PXE ROM.
        .PXE ready
        .>>Start PXE over IPv4.
        .iPXE>
        .Stopped at noon
        .Stopped target Local File Systems.
        .wd0 at atabus0 drive 0
        .nvme0: <Generic NVMe Device> mem 0xfebd4000
        .vtnet0: link state changed to UP
        .svc:/network/ssh:default: Method "start" done
        .Entering the loop
        .Press [Enter] to start
        .Segmentation is fine
        .thread 'main' started
        .Booting from Hard Disk...
        .Hit any key to stop autoboot:  3
        .Loading Environment from FAT... ** Unable to use mmc 0:1
        .No working controllers found
        .EFI stub: Booting Linux Kernel...
        .ASSERTIONS are off
        .[1/3] Building errors
        .root@web:~# ls /var/log/error
        .root@web:~# echo ERROR
        .total 0
        .Setting up libgpg-error0:amd64 (1.46-1) ...
        .Get:1 http://deb.debian.org/debian bookworm/main amd64 libgpg-error-l10n
        .Reading package lists... Done
        .W:
        .I0329 is a word
        .x error=0 failed=0 warnings=0
        .ok=1 changed=0 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0
        .Tests: 0 failures, 0 errors
        .panic_timeout = 0
        .errors=remount-ro
        .UUID=1234 / ext4 errors=remount-ro 0 1
        .BUILD SUCCESSFUL
        .ERRORS: none
        .Fatal: none
        .0 fatal, 0 errors
        .2024-01-01 10:00:00 status installed libgpg-error0:amd64 1.46-1
        .2024-01-01 10:00:00 all ERRORS fixed
        .10:00 root ERROR
        .Error-correcting code: multi-bit ECC
        .e2fsck 1.47.0 (5-Feb-2023)
        .Pass 1: Checking inodes, blocks, and sizes
        .fsck from util-linux 2.38
        .Loading Linux 6.1.0 ...
        .EXT-fs: x
        .Debian GNU/Linux 12 web ttyS0
        .{"msg":"ok","error":null}
        .{"msg":"ok","error":"none","errors":[]}
        .level=info msg="retry" error="x"
        .key=level value=error
        .  * error: yes
        .- ERRORS
        .* Documentation:  https://help.ubuntu.com
        . * Management:     https://landscape.canonical.com
        .  System load:  0.0               Processes:             100
        .=> / is using 90.0% of 1.9GB
        .=== WARNINGS ===
        .--- a/error.c
        .+++ b/error.c
        .<14>1 2024-01-01T10:00:00Z web app - - - error
        .D 12
        .E=mc2
        .F: drive
        .Jan 1st ERROR day
        .[ 12 ] ERROR
        .<error>
        """#
}
