// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import LogModel

/// Prints what makes a guest log to this host.
struct GuestSetup: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guest-setup",
        abstract: "Print the credentials with which a guest logs to its host.",
        discussion: """
            A guest with systemd 256 or newer that gets them sends its journal and its state to the collector of \
            guestlog serve, and needs nothing installed. Changes nothing.
            """
    )

    /// How the VM is started.
    enum VMM: String, CaseIterable, ExpressibleByArgument {
        case qemu, libvirt
        case cloudHypervisor = "cloud-hypervisor"
    }

    @Argument(help: "The VM's name.")
    var vm: String

    @Option(help: "qemu, libvirt or cloud-hypervisor; by default all of them.")
    var vmm: VMM?

    @Option(help: ArgumentHelp("The collector's vsock port for logs.", valueName: "port"))
    var port: UInt32 = GuestSetupText.defaultPort

    @Option(help: ArgumentHelp("Its vsock port for messages about the guest's state.", valueName: "port"))
    var notifyPort: UInt32 = GuestSetupText.defaultNotifyPort

    func validate() throws {
        if let rule = VMIdentity.fault(inName: vm) {
            throw ValidationError("'\(vm)' is not a VM's name: use \(rule)")
        }
    }

    func run() throws {
        let text = GuestSetupText(vm: vm, port: port, notifyPort: notifyPort)
        let parts: [(VMM, String)] = [
            (.qemu, text.qemu), (.libvirt, text.libvirt), (.cloudHypervisor, text.cloudHypervisor),
        ]
        let wanted = parts.filter { vmm == nil || vmm == $0.0 }
        try Output.write(wanted.map(\.1).joined(separator: "\n"))
        if vmm == nil {
            try Output.write("\n" + text.advice)
        }
    }
}
