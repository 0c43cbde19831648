// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The container `guest-console-log` of a virt-launcher pod, which prints the console's log so that `kubectl logs` and
/// the cluster's log collectors have it.
///
/// It has no probes, and starts after KubeVirt's own init containers: it must not keep a VM from starting.
public struct LogContainer: Hashable, Sendable {
    public static let name = "guest-console-log"

    /// How a pod runs it.
    public enum Style: String, Sendable, CaseIterable {
        /// An init container that is restarted (Kubernetes 1.29 and later): it ends with the pod.
        case sidecar
        /// A container beside the others: it ends when the console's socket disappears.
        case container
    }

    public var style = Style.sidecar
    /// The image, which has the program virt-tail.
    public var image: String
    /// When the node pulls the image; the seldom wrong choice is that of the pod's other containers.
    var pullPolicy = "IfNotPresent"
    /// The verbosity of virt-tail's own messages.
    public var verbosity = 2
    /// Arguments after those that KubeVirt gives.
    public var arguments: [String] = []
    public var resources = Resources()

    public init(image: String) {
        self.image = image
    }

    /// CPU and memory, as Kubernetes quantities.
    public struct Resources: Hashable, Sendable {
        public var requests = Amounts(cpu: "5m", memory: "35M")
        public var limits = Amounts(cpu: "15m", memory: "60M")

        public init() {}

        public struct Amounts: Hashable, Sendable {
            public var cpu: String
            public var memory: String

            public init(cpu: String, memory: String) {
                self.cpu = cpu
                self.memory = memory
            }

            var json: JSON { .object([("cpu", .string(cpu)), ("memory", .string(memory))]) }
        }

        /// Resources that keep a pod in the QoS class Guaranteed: requests as large as the limits.
        public var guaranteed: Resources {
            var resources = self
            resources.requests = limits
            return resources
        }

        var json: JSON { .object([("limits", limits.json), ("requests", requests.json)]) }
    }

    /// The user that QEMU and virtlogd run as in virt-launcher.
    private static let user: Int64 = 107

    /// The container for the console with these files, as a member of a pod's `containers` or `initContainers`.
    public func json(for files: ConsoleFiles) -> JSON {
        var members: [(String, JSON)] = [
            ("args", .array((["--logfile", files.log] + arguments).map { .string($0) })),
            ("command", .array([.string("/usr/bin/virt-tail")])),
            ("env", .array([Self.variable("VIRT_LAUNCHER_LOG_VERBOSITY", String(verbosity))])),
            ("image", .string(image)),
            ("imagePullPolicy", .string(pullPolicy)),
            ("name", .string(Self.name)),
            ("resources", resources.json),
        ]
        if style == .sidecar {
            members.append(("restartPolicy", .string("Always")))
        }
        members += [
            ("securityContext", Self.securityContext),
            ("terminationMessagePath", .string("/dev/termination-log")),
            ("terminationMessagePolicy", .string("File")),
            ("volumeMounts", .array([Self.mount])),
        ]
        return .object(members)
    }

    private static func variable(_ name: String, _ value: String) -> JSON {
        .object([("name", .string(name)), ("value", .string(value))])
    }

    private static var securityContext: JSON {
        .object([
            ("allowPrivilegeEscalation", .bool(false)),
            ("capabilities", .object([("drop", .array([.string("ALL")]))])),
            ("runAsNonRoot", .bool(true)),
            ("runAsUser", .integer(user)),
        ])
    }

    private static var mount: JSON {
        .object([
            ("mountPath", .string(ConsoleFiles.mountPath)),
            ("name", .string(ConsoleFiles.volume)),
            ("readOnly", .bool(true)),
        ])
    }
}
