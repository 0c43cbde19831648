// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KubeVirt
import LogModel

/// Prints the container guest-console-log.
struct ContainerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "Print the container guest-console-log, as JSON.",
        discussion: "It is a member of a pod's initContainers, or, with --style container, of its containers."
    )

    @Option(help: ArgumentHelp("The UID of the VirtualMachineInstance.", valueName: "uid"))
    var vmi: String

    @Option(help: ArgumentHelp("The image with virt-tail.", valueName: "image"))
    var image: String

    @Flag(help: "Request as much as the limits: for pods of the QoS class Guaranteed.")
    var guaranteed = false

    @OptionGroup var options: ContainerOptions

    func run() throws {
        var container = LogContainer(image: image)
        container.style = options.style
        container.verbosity = options.verbosity
        container.arguments = options.arguments
        if guaranteed {
            container.resources = container.resources.guaranteed
        }
        try Output.write(container.json(for: ConsoleFiles(uid: vmi)).bytes + [Lines.feed])
    }
}
