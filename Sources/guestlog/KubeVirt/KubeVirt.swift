// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import KubeVirt

/// The integration with KubeVirt. Each subcommand has a file of its own.
struct KubeVirtCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubevirt",
        abstract: "Set up logging of the serial consoles of KubeVirt VMs.",
        subcommands: [OnDefineDomain.self, ContainerCommand.self, PatchCommand.self, WebhookCommand.self]
    )
}

/// What a VM that does not set `logSerialConsole` gets.
enum ClusterDefault: String, ExpressibleByArgument, CaseIterable {
    case on, off

    var isOn: Bool { self == .on }
}

extension LogContainer.Style: ExpressibleByArgument {}

/// The settings of the container guest-console-log.
struct ContainerOptions: ParsableArguments {
    @Option(help: "How the pod runs the container: sidecar, for Kubernetes 1.29 and later, or container.")
    var style: LogContainer.Style = .sidecar

    @Option(help: ArgumentHelp("The verbosity of the container's own messages.", valueName: "n"))
    var verbosity: Int = 2

    @Option(
        name: .customLong("argument"),
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A further argument of virt-tail; may be repeated.", valueName: "word")
    )
    var arguments: [String] = []
}

/// The decision about VMs, and the container that they get.
struct PatchOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The image with virt-tail; by default that of the pod's container compute.",
            valueName: "image"
        )
    )
    var image: String?

    @OptionGroup var container: ContainerOptions

    var settings: PodPatch.Settings {
        var settings = PodPatch.Settings()
        settings.image = image
        settings.style = container.style
        settings.verbosity = container.verbosity
        settings.arguments = container.arguments
        return settings
    }
}
