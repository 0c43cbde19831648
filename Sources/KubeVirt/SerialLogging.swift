// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// Whether the auto-attached serial console of a VM is logged, and which setting decides: the one rule for the domain's
/// XML, the pod and all messages.
///
/// The settings are those of KubeVirt's API, in its order: a VM without the device (`autoattachSerialConsole: false`)
/// has no log; then the VM's `logSerialConsole` decides, then the cluster's default. What is unset everywhere is on.
/// Custom serial devices are never logged.
public enum SerialLogging: Hashable, Sendable {
    case on
    /// Off, by the setting of that level.
    case off(by: Level)
    /// The VM has no auto-attached serial console, though its `logSerialConsole` is true if `isRequested`.
    case noDevice(isRequested: Bool)

    /// The levels at which logging can be switched off.
    public enum Level: Hashable, Sendable {
        /// `spec.domain.devices.logSerialConsole` of the VM.
        case vm
        /// `spec.configuration.virtualMachineOptions.disableSerialConsoleLog` of the KubeVirt resource.
        case cluster
    }

    /// The setting for a VM with `devices`, in a cluster with that default.
    public init(_ devices: SerialDevices, clusterDefault: Bool = true) {
        guard devices.isAttached ?? true else {
            self = .noDevice(isRequested: devices.isLogged == true)
            return
        }
        guard devices.isLogged ?? clusterDefault else {
            self = .off(by: devices.isLogged == nil ? .cluster : .vm)
            return
        }
        self = .on
    }

    public var isOn: Bool { self == .on }

    /// What decides, and the remedy, as a clause about the VM.
    public var explanation: String {
        switch self {
        case .on:
            "its serial console is logged"
        case .off(by: .vm):
            "its serial console is not logged: spec.domain.devices.logSerialConsole is false; set it to true, and "
                + "restart the VM"
        case .off(by: .cluster):
            "its serial console is not logged: the KubeVirt resource has disableSerialConsoleLog, and the VM does not "
                + "set spec.domain.devices.logSerialConsole; set it to true, and restart the VM"
        case .noDevice(isRequested: true):
            "its serial console cannot be logged, though logSerialConsole is true: "
                + "spec.domain.devices.autoattachSerialConsole is false"
        case .noDevice(isRequested: false):
            "it has no serial console: spec.domain.devices.autoattachSerialConsole is false"
        }
    }

    /// The cluster's default according to `kubeVirt`, the KubeVirt resource: the presence of `disableSerialConsoleLog`,
    /// an empty object, switches logging off.
    public static func clusterDefault(of kubeVirt: JSON) -> Bool {
        switch kubeVirt["spec"]?["configuration"]?["virtualMachineOptions"]?["disableSerialConsoleLog"] {
        case nil, .null?: true
        default: false
        }
    }
}

/// The settings of a VM's auto-attached serial console; nil where the VM does not set them.
public struct SerialDevices: Hashable, Sendable {
    /// `autoattachSerialConsole`.
    public var isAttached: Bool?
    /// `logSerialConsole`.
    public var isLogged: Bool?

    public init(isAttached: Bool? = nil, isLogged: Bool? = nil) {
        self.isAttached = isAttached
        self.isLogged = isLogged
    }

    /// The settings in `object`: a VirtualMachine, whose template has them, or a VirtualMachineInstance (kubevirt.io/v1).
    /// Throws when one of them is neither true nor false.
    public init(of object: JSON) throws(KubeVirtError) {
        let spec = object["spec"]
        let isTemplate = spec?["template"] != nil
        let devices = (isTemplate ? spec?["template"]?["spec"] : spec)?["domain"]?["devices"]
        let path = (isTemplate ? "spec.template.spec" : "spec") + ".domain.devices."
        isAttached = try Self.flag("autoattachSerialConsole", of: devices, at: path)
        isLogged = try Self.flag("logSerialConsole", of: devices, at: path)
    }

    /// The settings of `instance`, a VirtualMachineInstance, whose annotation takes precedence over `logSerialConsole`.
    public init(annotated instance: JSON) throws(KubeVirtError) {
        try self.init(of: instance)
        isLogged = try PodPatch.choice(of: instance) ?? isLogged
    }

    private static func flag(_ name: String, of devices: JSON?, at path: String) throws(KubeVirtError) -> Bool? {
        switch devices?[name] {
        case nil, .null?: nil
        case .bool(let value)?: value
        default: throw KubeVirtError("\(path)\(name) is neither true nor false")
        }
    }
}
