// SPDX-License-Identifier: Apache-2.0

import Libvirt
import LogModel

/// KubeVirt's hook OnDefineDomain: adds the `<log>` to the domain of a VM whose serial console is to be logged, by the same
/// annotation and settings as its pod gets the container.
///
/// KubeVirt defines a domain several times; the hook changes its own output no more.
public struct DomainHook: Sendable {
    /// Whether VMs that do not set `logSerialConsole` are logged.
    public var clusterDefault: Bool
    /// Whether only `<serial>` gets the `<log>`, as KubeVirt does it since 1.1, and not the `<console>` that stands for
    /// the same device.
    public var isSerialOnly: Bool

    public init(clusterDefault: Bool = true, isSerialOnly: Bool = false) {
        self.clusterDefault = clusterDefault
        self.isSerialOnly = isSerialOnly
    }

    /// The domain to be defined, and why it has no log; nil when it has one.
    public struct Outcome: Sendable {
        public let domain: [UInt8]
        public let reason: String?
    }

    /// The domain that KubeVirt is to define in place of `domain`, for `instance`, a VirtualMachineInstance. Whatever is
    /// wrong, that is `domain` itself at worst, unchanged to the byte.
    public func define(_ domain: [UInt8], for instance: [UInt8]) -> Outcome {
        do {
            let instance = try JSON(parsing: instance)
            guard try PodPatch.choice(of: instance) != false else {
                return Outcome(domain: domain, reason: PodPatch.declined)
            }
            let logging = SerialLogging(try SerialDevices(annotated: instance), clusterDefault: clusterDefault)
            guard logging.isOn else {
                return Outcome(domain: domain, reason: logging.explanation)
            }
            let files = try ConsoleFiles(uid: instance["metadata"]?["uid"]?.text ?? "")
            return Outcome(domain: try logged(domain, files), reason: nil)
        } catch {
            return Outcome(domain: domain, reason: "its serial console cannot be logged: \(error)")
        }
    }

    private func logged(_ domain: [UInt8], _ files: ConsoleFiles) throws -> [UInt8] {
        var xml = try DomainXML(domain)
        // A custom device may come first, and is not ours to log.
        guard try DomainFacts(xml).ports.first?.source == .unixListener(path: files.socket) else {
            throw KubeVirtError("the domain's first serial device does not listen at \(files.socket)")
        }
        _ = try xml.addLog(file: files.log, serialOnly: isSerialOnly)
        return xml.text
    }
}
