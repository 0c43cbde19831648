// SPDX-License-Identifier: Apache-2.0

/// Messages of Linux without their time stamps, each with its severity as in `BootLogs`.
enum KernelLines {
    static let all: [(name: String, text: String)] = [("alarms", alarms), ("ordinary messages", ordinary)]

    private static let alarms = """
        aBUG: kernel NULL pointer dereference, address: 0000000000000008
        a#PF: error_code(0x0000) - not-present page
        aOops: 0000 [#1] PREEMPT SMP NOPTI
        aOops: Oops: 0002 [#1] SMP
        mFixing recursive fault but reboot is needed!
        aKernel BUG at mm/slub.c:305!
        akernel BUG at fs/inode.c:612!
        mInternal error: Oops: 0000000096000004 [#1] PREEMPT SMP
        mInternal error: Oops - BUG: 00000000f2000800 [#1] SMP
        a8<--- cut here ---
        aUnhandled fault: external abort on non-linefetch (0x008) at 0xb6f29000
        aUnhandled fault at 0xffffffc010
        cBad mode in Error handler detected on CPU1, code 0xbf000002 -- SError
        asynchronous external abort: 96000010 [#1] PREEMPT SMP
        cKernel attempted to read user page (8) - exploit attempt? (uid: 0)
        aUnable to handle kernel access to user memory without uaccess routines at virtual address 00000
        aOops: Kernel access of bad area, sig: 11 [#1]
        aOops - load access fault [#1]
        aKernel access of bad area, sig: 7 [#1]
        aCPU 0 Unable to handle kernel paging request at virtual address 00000000, epc == 80123456, ra =
        aKernel bug detected[#1]:
        aReserved instruction in kernel code[#1]:
        aUser-mode IBM: Unable to handle kernel pointer dereference in virtual kernel address space
        mtraps: PANIC: double fault, error_code: 0x0
        ckernel tried to execute NX-protected page - exploit attempt? (uid: 0)
        eBUG kmalloc-64 (Not tainted): Poison overwritten
        eSlab corruption (Not tainted): kmalloc-64 start=ffff8880, len=64
        erefcount_t: underflow; use-after-free.
        mkernel stack overflow (page fault): 0000 [#1] SMP
        mInsufficient stack space to handle exception!
        mKernel stack overflow in process 00000000deadbeef, r1=c000000
        apage dumped because: nonzero mapcount
        eswap_info_get: Bad swap file entry 2800000000000000
        musercopy: Kernel memory exposure attempt detected from SLUB object 'kmalloc-32' (offset 0, size
        aBad page state in process swapper/0  pfn:00100
        ercu: rcu_sched kthread starved for 5250 jiffies! g1 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x402 ->cpu
        ercu: INFO: rcu_sched self-detected stall on CPU
        ercu_sched: INFO: rcu_sched self-detected stall on CPU { 0} (t=5250 jiffies)
        eINFO: rcu_sched_state detected stalls on CPUs/tasks: { 1} (detected by 0, t=15002 jiffies)
        eINFO: task kworker/u4:2:46 blocked for more than 122 seconds.
        eINFO: task syz-executor.0:123 can't die for more than 143 seconds.
        mNMI watchdog: BUG: soft lockup - CPU#1 stuck for 23s! [swapper/1:0]
        mBUG: soft lockup - CPU#0 stuck for 61s! [modprobe:123]
        mwatchdog: CPU3: Watchdog detected hard LOCKUP on cpu 3
        mWatchdog CPU:0 Hard LOCKUP
        mKernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
        m---[ end Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100 ]---
        eOut of memory: Killed process 812 (java) total-vm:8000000kB, anon-rss:10kB
        eOut of memory: Kill process 812 (java) score 900 or sacrifice child
        eKilled process 812 (java) total-vm:8000000kB, anon-rss:10kB, file-rss:0kB, shmem-rss:0kB
        cEXT4-fs (vda1): Remounting filesystem read-only
        eEXT4-fs (dm-0): unable to read superblock
        eEXT4-fs (vda1): VFS: Can't find ext4 filesystem
        eEXT4-fs (vda1): bad geometry: block count 262144 exceeds size of device (131072 blocks)
        eEXT4-fs (vda1): group descriptors corrupted!
        eEXT4-fs (sda1): Couldn't mount because of unsupported optional features (10000)
        eEXT4-fs (vda1): failed to convert unwritten extents to written extents -- potential data loss!
        cEXT4-fs (vda1): Delayed block allocation failed for inode 12 at logical offset 0 with max block
        cEXT4-fs (vda1): This should not happen!! Data will be lost
        wEXT4-fs (vda1): warning: mounting fs with errors, running e2fsck is recommended
        eAborting journal on device vda1-8.
        eJBD2: Detected IO errors while flushing file data on vda1-8
        eJBD2: recovery failed
        eBuffer I/O error on device sda1, logical block 0
        elost page write due to I/O error on sda1
        aXFS (vda1): Corruption detected. Unmount and run xfs_repair
        aXFS (vda1): Metadata CRC error detected at xfs_agi_read_verify+0xde/0x100 [xfs], xfs_agi block
        aXFS (vda1): Unmount and run xfs_repair
        eXFS (vda1): log mount/recovery failed: error -117
        eXFS (vda1): log mount failed
        aXFS (dm-0): Log I/O Error (0x2) detected at xlog_ioend_work+0x6c/0xb0 [xfs] (fs/xfs/xfs_log.c:1
        aXFS (dm-0): User initiated shutdown received.
        wXFS (sda): possible memory allocation deadlock size 4096 in kmem_alloc (mode:0x2400240)
        eBTRFS error (device sda1): bdev /dev/sda1 errs: wr 1, rd 0, flush 0, corrupt 0, gen 0
        eBTRFS: Transaction aborted (error -5)
        eBTRFS error (device sda1 state EA): forced readonly
        wBTRFS warning (device sda1): csum failed root 5 ino 257 off 0 csum 0x1 expected csum 0x2 mirror
        eF2FS-fs (mmcblk0p1): Can't find valid F2FS filesystem in 1th superblock
        eFAT-fs (sda1): error, fat_get_cluster: invalid cluster chain (i_pos 0)
        eFAT-fs (sda1): Filesystem has been set read-only
        wFAT-fs (sda1): Volume was not properly unmounted. Some data may be corrupt. Please run fsck.
        eUBIFS error (ubi0:0 pid 1): ubifs_read_node: bad node type
        eUBI error: ubi_io_read: error -74 (ECC error) while reading 64 bytes
        eubi0 error: ubi_attach_mtd_dev [ubi]: failed to attach mtd0, error -22
        eSQUASHFS error: Unable to read page, block 13a, size 9a8
        eoverlayfs: failed to resolve '/x': -2
        eNFS: server 10.0.0.1 error: fileid changed
        wnfs: server 10.0.0.1 not responding, still trying
        eCIFS: VFS: Error connecting to socket. Aborting operation.
        eCIFS VFS: cifs_mount failed w/return code = -13
        eVFS: Unable to mount root fs on unknown-block(0,0)
        eVFS: Cannot open root device "vda1" or unknown-block(0,0): error -6
        ePlease append a correct "root=" boot option; here are the available partitions:
        eblk_update_request: I/O error, dev sda, sector 123 op 0x0:(READ) flags 0x0 phys_seg 1 prio clas
        ecritical space allocation error, dev vda, sector 0
        etimeout error, dev nvme0n1, sector 0
        eprotection error, dev sda, sector 0
        edevice offline error, dev sda, sector 0 op 0x1:(WRITE)
        esd 0:0:0:0: [sda] tag#12 FAILED Result: hostbyte=DID_OK driverbyte=DRIVER_SENSE cmd_age=0s
        esd 0:0:0:0: [sda] tag#12 Sense Key : Medium Error [current]
        esd 0:0:0:0: [sda] tag#12 Add. Sense: Unrecovered read error - auto reallocate failed
        esd 2:0:0:0: rejecting I/O to offline device
        esd 2:0:0:0: Device offlined - not ready after error recovery
        eata1.00: exception Emask 0x0 SAct 0x1 SErr 0x0 action 0x6 frozen
        eata1.00: error: { UNC }
        eata1: COMRESET failed (errno=-16)
        eata1: SError: { PHYRdyChg CommWake }
        envme nvme0: Device not ready; aborting reset, CSTS=0x1
        envme nvme0: Removing after probe failure status: -19
        envme0n1: Write(0x1) @ LBA 1234, 8 blocks, Media Error
        emmc0: Timeout waiting for hardware interrupt.
        emmc0: error -110 whilst initialising SD card
        emmcblk0: error -110 transferring data, sector 0, nr 8, cmd response 0x900, card status 0x0
        cmd/raid1:md0: Disk failure on sda1, disabling device.
        emd/raid:md0: not enough operational devices (2/3 failed)
        edevice-mapper: table: 253:0: linear: Device lookup failed
        edevice-mapper: verity: 254:0: data block 1234 is corrupted
        edevice-mapper: thin: 253:4: switching pool to out-of-data-space (queue IO) mode
        edm-verity: 254:0: metadata block is corrupted
        eusb 1-1: device descriptor read/64, error -71
        eusb usb1-port1: unable to enumerate USB device
        eusb 1-1: device not accepting address 5, error -71
        ehub 1-0:1.0: config failed, can't get hub status (err -5)
        exhci_hcd 0000:00:14.0: HC died; cleaning up
        exhci_hcd 0000:00:14.0: xHCI host controller not responding, assume dead
        epcieport 0000:00:1c.0: AER: Uncorrected (Fatal) error received: 0000:00:1c.0
        wpcieport 0000:00:1c.0: AER: Corrected error received: 0000:01:00.0
        epcieport 0000:00:1c.0: PCIe Bus Error: severity=Uncorrected (Fatal), type=Transaction Layer, (R
        wpcieport 0000:00:1c.0: PCIe Bus Error: severity=Corrected, type=Physical Layer, (Receiver ID)
        mmce: CPU0: Machine Check Exception: 5 Bank 4: b200000000070f0f
        mmce: [Hardware Error]: CPU 2: Machine Check: 0 Bank 5: bea0000000000108
        eEDAC MC0: 1 UE memory read error on CPU_SrcID#0_Channel#0_DIMM#0
        wEDAC MC0: 1 CE memory read error on CPU_SrcID#0_Channel#0_DIMM#0
        e{1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 0
        eDMAR: [DMA Read] Request device [00:02.0] PTE Read access is not set fault addr ffff0000
        eDMAR: DRHD: handling fault status reg 3
        eAMD-Vi: Event logged [IO_PAGE_FAULT device=01:00.0 domain=0x0001 address=0x0 flags=0x0000]
        earm-smmu 5000000.iommu: Unhandled context fault: fsr=0x402, iova=0x0
        eirq 16: nobody cared (try booting with the "irqpoll" option)
        mDisabling IRQ #16
        mdo_IRQ: 1.55 No irq handler for vector
        cvirtio_net virtio0 eth0: NETDEV WATCHDOG: CPU: 1: transmit queue 0 timed out 5000 ms
        wNETDEV WATCHDOG: eth0 (e1000): transmit queue 0 timed out
        ee1000 0000:00:03.0 eth0: Detected Tx Unit Hang
        ee1000e 0000:00:19.0 eth0: Detected Hardware Unit Hang:
        eixgbe 0000:01:00.0: Adapter removed
        eamdgpu 0000:01:00.0: amdgpu: ring gfx timeout, signaled seq=1, emitted seq=2
        e[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx_0.0.0 timeout, signaled seq=1
        ei915 0000:00:02.0: [drm] *ERROR* CPU pipe A FIFO underrun
        cNVRM: Xid (PCI:0000:01:00): 79, pid=1, GPU has fallen off the bus.
        eNVRM: GPU 0000:01:00.0: RmInitAdapter failed! (0x26:0xffff:1290)
        wi8042: probe of i8042 failed with error -5
        etpm tpm0: A TPM error (256) occurred attempting the self test
        eACPI Error: No handler for Region [EC  ] (0000000012345678) [EmbeddedControl] (20210730/evregio
        eACPI BIOS Error (bug): Could not resolve symbol [\\_SB.PCI0], AE_NOT_FOUND (20210730/dswload2-1
        wACPI BIOS Warning (bug): 32/64X length mismatch in FADT/Gpe0Block: 128/32 (20210730/tbfadt-564)
        ePM: Device 0000:00:14.0 failed to suspend async: error -16
        ePM: Some devices failed to suspend, or early wake event detected
        wMDS CPU bug present and SMT on, data leak possible. See https://www.kernel.org/doc/html/latest/
        wsystemd-journald[123]: File /var/log/journal/x/system.journal corrupted or uncleanly shut down,
        esystemd[1]: Failed to start Apache HTTP Server.
        esystemd[1]: Failed to start nginx.service - A high performance web server.
        wsystemd[1]: Dependency failed for Local File Systems.
        wsystemd[1]: nginx.service: Failed with result 'exit-code'.
        msystemd[1]: Freezing execution.
        esystemd[1]: Failed to mount tmpfs at /run: Operation not permitted
        esystemd[1]: Failed to allocate manager object: Permission denied
        msystemd[1]: Failed to isolate default target, freezing.
        msystemd[1]: Failed to load SELinux policy. Freezing.
        esystemd[1]: Cannot determine cgroup we are running in: No medium found
        msystemd[1]: Caught <SEGV>, dumped core as pid 123.
        esystemd-fsck[123]: /dev/vda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.
        csystemd-coredump[123]: Process 122 (foo) of user 0 dumped core.
        wdracut-initqueue[245]: Warning: dracut-initqueue timeout - starting timeout scripts
        cdracut: FATAL: No or empty root= argument
        eaudit: kauditd hold queue overflow
        waudit: backlog limit exceeded
        wfoo: loading out-of-tree module taints kernel.
        efoo: Unknown symbol bar (err -2)
        efoo: disagrees about version of symbol module_layout
        efoo: version magic '6.1.0 SMP' should be '6.1.1 SMP'
        eLoading of unsigned module is rejected
        mInitramfs unpacking failed: invalid magic at start of compressed archive
        mInitramfs unpacking failed: Decoding failed
        eWarning: unable to open an initial console.
        eFailed to execute /sbin/init (error -2)
        erequest_module: runaway loop modprobe binfmt-464c
        wpython3: page allocation failure: order:4, mode:0xcc0(GFP_KERNEL), nodemask=(null)
        wTCP: request_sock_TCP: Possible SYN flooding on port 80. Sending cookies.  Check SNMP counters.
        wnf_conntrack: nf_conntrack: table full, dropping packet
        wneighbour: arp_cache: neighbor table overflow!
        wCPU0: Core temperature above threshold, cpu clock throttled (total events = 1)
        eCPU1 failed to report alive state
        esmpboot: do_boot_cpu failed(-1) to wakeup CPU#1
        csmp: CPU1: failed to come online
        wSpurious LAPIC timer interrupt on cpu 0
        mUhhuh. NMI received for unknown reason 3d on CPU 0.
        mDazed and confused, but trying to continue
        mNMI: IOCK error (debug interrupt?) for reason 60 on CPU 0.
        mKernel panic - not syncing: NMI: Not continuing
        evirtio_blk virtio2: probe with driver virtio_blk failed with error -12
        ebcm2835-dma 3f007000.dma: failed to request irq: -22
        er8169 0000:02:00.0: Unable to load firmware rtl_nic/rtl8168h-2.fw (-2)
        edwc3 fe800000.usb: failed to initialize core: -22
        eBluetooth: hci0: Failed to send firmware data (-38)
        aOops: general protection fault, probably for non-canonical address 0xdffffc0000000000: 0000 [#1
        aIllegal instruction: 0000 [#3] SMP
        mKernel panic: Fatal exception
        akernel BUG at lib/list_debug.c:29!
        mInternal error: synchronous external abort: 0000000096000210 [#1] SMP
        eINFO: rcu_preempt self-detected stall on CPU { 0}
        ercu_preempt: INFO: rcu_preempt detected stalls on CPUs/tasks: { 1}
        eEXT4-fs (vda1): I/O error while writing superblock
        eEXT4-fs (dm-0): Inode table for bg 0 is corrupted
        eBuffer I/O error on device vda, logical block 3
        erecoverable transport error, dev sda, sector 3
        eoperation not supported error, dev loop0, sector 3
        eata3.00: failed to set xfermode (err_mask=0x40)
        eusb 2-1: can't set config #1, error -71
        evirtiofs virtio3: virtio_fs_setup_dax: failed, err=-22
        exen_netfront: can't alloc rx grant refs, error -12
        aBUG: Bad page map in process x  pte:00 pmd:00
        aBUG: scheduling while atomic: swapper/0/1/0x00000002
        aBUG: KFENCE: use-after-free read in x
        mwatchdog: BUG: soft lockup - CPU#3 stuck for 26s!
        ercu: INFO: rcu_sched detected expedited stalls on CPUs/tasks: { 1-... }
        wWARNING: possible circular locking dependency detected
        eOut of memory (oom_kill_allocating_task): Killed process 1 (x)
        eoom_kill_process: Memory cgroup out of memory: Killed process 1 (x)
        eINFO: task khugepaged:30 is blocked for more than 122 seconds.
        eINFO: task dpkg:30 blocked in I/O wait for more than 122 seconds.
        eVFS: Cannot open root device "(null)" or unknown-block(0,0): error -6
        cmd/raid1:md127: Disk failure on vdb, disabling device.
        mCPU 3 self-detected hard LOCKUP @ plpar_hcall+0x10
        eky-wlan rf-pwrseq:wlan-pwrseq: error -ENXIO: IRQ index 0 not found
        edwc3 fe800000.usb: failed to get clock: -ENOENT
        esof-audio-pci 0000:00:1f.3: could not start the device (-EIO)
        wunchecked MSR access error: RDMSR from 0x492 at rIP: 0xffffffff8b47892a (native_read_msr+0xa/0x30)
        """
}
