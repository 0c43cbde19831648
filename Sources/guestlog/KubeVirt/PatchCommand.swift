// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KubeVirt
import LogModel
import SystemIO

/// Prints the change of a virt-launcher pod.
struct PatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "patch",
        abstract: "Print the JSON patch that gives a virt-launcher pod the container guest-console-log.",
        discussion: """
            Reads the pod as JSON from standard input. Without --vmi, only a pod that has the container already, from \
            KubeVirt, or the annotation guestlog/log-serial-console: "true", is changed.
            """
    )

    @Option(
        help: ArgumentHelp("A file with the VirtualMachineInstance, as JSON.", valueName: "file"),
        completion: .file()
    )
    var vmi: String?

    @Option(help: "Whether VMs that do not set logSerialConsole are logged: on or off.")
    var clusterDefault: ClusterDefault = .on

    @OptionGroup var patch: PatchOptions

    func run() throws {
        let logging = try vmi.map { file in
            let instance = try Input.json(file)
            return SerialLogging(try SerialDevices(of: instance), clusterDefault: clusterDefault.isOn)
        }
        let patch = try PodPatch(Input.json(nil), logging, patch.settings)
        if let reason = patch.reason {
            Output.error("the pod is not changed: \(reason)")
        }
        try Output.write(patch.json.bytes + [Lines.feed])
    }
}
