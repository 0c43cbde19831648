// SPDX-License-Identifier: Apache-2.0

import GuestCollector

/// What to give to a VMM so that the guest logs to its host: system credentials in SMBIOS strings of type 11 (systemd,
/// VM_INTERFACE), which systemd reads from version 256 on.
public struct GuestSetupText: Sendable {
    private let vm: String
    private let credentials: [String]

    public static let defaultPort = CollectorOptions.defaultPort
    public static let defaultNotifyPort = CollectorOptions.defaultNotifyPort

    public init(vm: String, port: UInt32, notifyPort: UInt32) {
        self.vm = vm
        credentials = [
            "io.systemd.credential:journal.forward_to_socket=vsock-stream:2:\(port)",
            "io.systemd.credential:vmm.notify_socket=vsock-stream:2:\(notifyPort)",
        ]
    }

    /// Options of QEMU's command line.
    public var qemu: String {
        let options = credentials.map { "-smbios type=11,value=\($0)" }.joined(separator: " \\\n  ")
        return """
            # \(safeName), QEMU, with N from 3 on, a number that no other VM on this host has; guestlog.yaml, in the section
            # collector, has 'guests: [{ cid: N, name: \(safeName) }]', without which the log is that of vsock/cid-N
              -device vhost-vsock-pci,guest-cid=N \\
              \(options)

            """
    }

    /// Elements of a domain's XML.
    public var libvirt: String {
        let entries = credentials.map { "      <entry>\($0)</entry>" }.joined(separator: "\n")
        return """
            # \(safeName), libvirt: in <domain>
              <sysinfo type='smbios'>
                <oemStrings>
            \(entries)
                </oemStrings>
              </sysinfo>
            # in <os>
              <smbios mode='sysinfo'/>
            # in <devices>
              <vsock model='virtio'><cid auto='yes'/></vsock>

            """
    }

    /// Options of Cloud Hypervisor's command line.
    public var cloudHypervisor: String {
        """
        # \(safeName), Cloud Hypervisor: with --vsock cid=3,socket=/run/vms/\(safeName).vsock
          --platform oem_strings=[\(credentials.joined(separator: ","))]

        """
    }

    public var advice: String {
        """
        # Set journal.forward_to_socket only where the collector runs: until it answers, the guest's boot waits at each
        # attempt. A guest without systemd, or with an older one, runs guestlog-agent.

        """
    }

    /// The name, as a comment shows it: in one line.
    private var safeName: String { String(vm.map { $0.isNewline ? " " : $0 }) }
}
