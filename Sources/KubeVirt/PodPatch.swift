// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The change of a virt-launcher pod that makes it print its VM's console by our program, as JSON Patch (RFC 6902).
///
/// - A pod that has the container `guest-console-log` from KubeVirt keeps it, with another image: KubeVirt has decided
///   then that the console is logged, and with which resources.
/// - A pod without it gets it when `SerialLogging` says so. The pod's annotation `guestlog/log-serial-console`, `"true"`
///   or `"false"`, takes precedence: KubeVirt copies the annotations of a VM to its pods.
///
/// Applied to its own result it is empty.
public struct PodPatch: Sendable {
    /// The annotation of a VM, or of its pod, that says whether the pod gets the container.
    static let annotation = "guestlog/log-serial-console"

    /// Why a VM with the annotation `"false"` is not logged.
    static let declined = "its annotation \(annotation) is \"false\""

    /// What the annotation of `object` says; nil without it.
    static func choice(of object: JSON) throws(KubeVirtError) -> Bool? {
        switch object["metadata"]?["annotations"]?[annotation]?.text {
        case nil: nil
        case "true"?: true
        case "false"?: false
        default: throw KubeVirtError("the annotation \(annotation) is neither \"true\" nor \"false\"")
        }
    }

    /// The operations, in order.
    public let operations: [Operation]
    /// Why the pod has no log container after the patch; nil when it has one.
    public let reason: String?

    /// An operation of a patch.
    public enum Operation: Equatable, Sendable {
        case add(path: String, value: JSON)
        case replace(path: String, value: JSON)

        var json: JSON {
            let (name, path, value) =
                switch self {
                case .add(let path, let value): ("add", path, value)
                case .replace(let path, let value): ("replace", path, value)
                }
            return .object([("op", .string(name)), ("path", .string(path)), ("value", value)])
        }
    }

    /// The settings of a patch.
    public struct Settings: Sendable {
        /// The image with virt-tail; nil: that of the pod's container `compute`, which has KubeVirt's own since 1.1.
        public var image: String?
        public var style = LogContainer.Style.sidecar
        public var verbosity = 2
        public var arguments: [String] = []

        public init() {}
    }

    /// The patch for `pod`. `logging` is the VM's setting; nil when it is not known, and a pod gets the container only by
    /// its annotation. Throws when `pod` is not a virt-launcher pod or lacks what the container needs.
    public init(_ pod: JSON, _ logging: SerialLogging?, _ settings: Settings) throws(KubeVirtError) {
        guard pod["metadata"]?["labels"]?["kubevirt.io"]?.text == "virt-launcher" else {
            throw KubeVirtError("this is not a virt-launcher pod: it lacks the label \(LauncherPod.selector)")
        }
        let choice = try Self.choice(of: pod)
        if let (list, index) = ContainerList.holding(LogContainer.name, in: pod) {
            operations = choice == false ? [] : Self.replacement(of: list, index, in: pod, settings)
            reason = nil
        } else if choice == false {
            (operations, reason) = ([], Self.declined)
        } else if choice == true || logging?.isOn == true {
            (operations, reason) = (try Self.addition(to: pod, settings), nil)
        } else {
            operations = []
            reason =
                logging?.explanation
                ?? "KubeVirt did not add \(LogContainer.name), and the VM's settings are not known"
        }
    }

    /// The patch as JSON.
    public var json: JSON { .array(operations.map(\.json)) }

    private static func replacement(
        of list: ContainerList,
        _ index: Int,
        in pod: JSON,
        _ settings: Settings
    ) -> [Operation] {
        let container = pod["spec"]?[list.rawValue]?.elements?[index]
        guard let image = settings.image, container?["image"]?.text != image else {
            return []
        }
        return [.replace(path: "/spec/\(list.rawValue)/\(index)/image", value: .string(image))]
    }

    private static func addition(to pod: JSON, _ settings: Settings) throws(KubeVirtError) -> [Operation] {
        let volumes = pod["spec"]?["volumes"]?.elements ?? []
        guard volumes.contains(where: { $0["name"]?.text == ConsoleFiles.volume }) else {
            throw KubeVirtError("the pod has no volume \(ConsoleFiles.volume), where the console's log is")
        }
        let compute = (pod["spec"]?["containers"]?.elements ?? []).first { $0["name"]?.text == "compute" }
        guard let image = settings.image ?? compute?["image"]?.text else {
            throw KubeVirtError("the pod has no container compute, whose image has virt-tail; set an image")
        }
        var container = LogContainer(image: image)
        container.pullPolicy = compute?["imagePullPolicy"]?.text ?? container.pullPolicy
        container.style = settings.style
        container.verbosity = settings.verbosity
        // KubeVirt's own program, of the image of compute, has no such option.
        let ends = settings.style == .container && settings.image != nil ? ["--stop-on", "socket,file"] : []
        container.arguments = ends + settings.arguments
        if isGuaranteed(pod) {
            container.resources = container.resources.guaranteed
        }
        let labels = pod["metadata"]?["labels"]
        let uid = labels?[LauncherPod.instanceLabel]?.text ?? LauncherPod.owner(pod["metadata"])?["uid"]?.text
        let rendered = container.json(for: try ConsoleFiles(uid: uid ?? ""))
        let list = settings.style == .sidecar ? ContainerList.initContainers : .containers
        guard pod["spec"]?[list.rawValue]?.elements != nil else {
            return [.add(path: "/spec/\(list.rawValue)", value: .array([rendered]))]
        }
        return [.add(path: "/spec/\(list.rawValue)/-", value: rendered)]
    }

    /// Whether all containers request what they are limited to, of CPU and of memory: the QoS class Guaranteed, which
    /// dedicated CPUs require.
    private static func isGuaranteed(_ pod: JSON) -> Bool {
        let containers = pod["spec"]?["containers"]?.elements ?? []
        return !containers.isEmpty
            && containers.allSatisfy { container in
                ["cpu", "memory"].allSatisfy { resource in
                    guard let limit = container["resources"]?["limits"]?[resource] else {
                        return false
                    }
                    // A request that is absent is as large as the limit.
                    return (container["resources"]?["requests"]?[resource] ?? limit) == limit
                }
            }
    }
}
