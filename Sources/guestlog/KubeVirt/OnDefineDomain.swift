// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KubeVirt

/// KubeVirt's hook OnDefineDomain, with the command line of the program `onDefineDomain` that KubeVirt's sidecar-shim
/// runs: a link to this program of that name runs it.
struct OnDefineDomain: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "on-define-domain",
        abstract: "Add the <log> of the serial console to a domain that KubeVirt defines.",
        discussion: """
            Prints the domain's XML. KubeVirt's sidecar-shim runs it as /usr/bin/onDefineDomain, a link to this program. \
            What cannot be logged is reported, and its XML is printed unchanged: logging never keeps a VM from starting.
            """
    )

    @Option(help: ArgumentHelp("The VirtualMachineInstance, as JSON.", valueName: "json"))
    var vmi: String

    @Option(help: ArgumentHelp("The domain, as XML.", valueName: "xml"))
    var domain: String

    @Option(help: "Whether VMs that do not set logSerialConsole are logged: on or off.")
    var clusterDefault: ClusterDefault = .on

    @Flag(help: "Add the <log> to <serial> only, as KubeVirt does, and not to <console>.")
    var upstreamStyle = false

    func run() throws {
        let hook = DomainHook(clusterDefault: clusterDefault.isOn, isSerialOnly: upstreamStyle)
        let outcome = hook.define(Array(domain.utf8), for: Array(vmi.utf8))
        if let reason = outcome.reason {
            Output.error("the VM has no console log: \(reason)")
        }
        try Output.write(outcome.domain)
    }
}
