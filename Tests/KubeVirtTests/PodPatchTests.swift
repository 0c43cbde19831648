// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("The patch of a virt-launcher pod", .blocking)
struct PodPatchTests {
    private func settings(image: String? = nil, _ style: LogContainer.Style = .sidecar) -> PodPatch.Settings {
        var settings = PodPatch.Settings()
        settings.image = image
        settings.style = style
        return settings
    }

    /// `pod` after `patch`, by this test's own reading of RFC 6902.
    private func applying(_ patch: PodPatch, to pod: JSON) -> JSON {
        patch.operations.reduce(pod) { object, operation in
            switch operation {
            case .add(let path, let value), .replace(let path, let value):
                setting(value, at: path.split(separator: "/").map(String.init)[...], in: object)
            }
        }
    }

    private func setting(_ value: JSON, at path: ArraySlice<String>, in object: JSON?) -> JSON {
        guard let name = path.first else {
            return value
        }
        let rest = path.dropFirst()
        switch object {
        case .array(var elements):
            if name == "-" {
                return .array(elements + [value])
            }
            let index = Int(name) ?? -1
            elements[index] = setting(value, at: rest, in: elements[index])
            return .array(elements)
        case .object(var members):
            let changed = setting(value, at: rest, in: object?[name])
            members.removeAll { $0.0 == name }
            return .object(members + [(name, changed)])
        default:
            return value
        }
    }

    private func container(of pod: JSON, in list: String) -> JSON? {
        pod["spec"]?[list]?.elements?.last
    }

    @Test("a pod of a VM that is logged gets a sidecar, with compute's image and pull policy")
    func addsSidecar() throws {
        let pod = Objects.pod()
        let patch = try PodPatch(pod, .on, settings())
        let added = container(of: applying(patch, to: pod), in: "initContainers")
        #expect(added?["name"]?.text == LogContainer.name)
        #expect(added?["image"]?.text == "registry:5000/kubevirt/virt-launcher:v1.9.0")
        #expect(added?["imagePullPolicy"]?.text == "Always")
        #expect(added?["restartPolicy"]?.text == "Always")
        #expect(added?["resources"]?["requests"]?["cpu"]?.text == "5m")
        #expect(patch.reason == nil)
    }

    @Test("it comes after KubeVirt's own init containers")
    func isLast() throws {
        let pod = Objects.pod(
            extra: #""initContainers":[{"name":"container-disk-binary"}],"volumes":[{"name":"private"}]"#
        )
        let changed = applying(try PodPatch(pod, .on, settings()), to: pod)
        let names = changed["spec"]?["initContainers"]?.elements?.map { $0["name"]?.text }
        #expect(names == ["container-disk-binary", LogContainer.name])
    }

    @Test("in the plain style it is a container beside compute")
    func addsContainer() throws {
        let pod = Objects.pod()
        let changed = applying(try PodPatch(pod, .on, settings(image: "ours", .container)), to: pod)
        let added = container(of: changed, in: "containers")
        #expect(added?["image"]?.text == "ours" && added?["restartPolicy"] == nil)
        // It must end with QEMU.
        #expect(added?["args"]?.elements?.suffix(2).map(\.text) == ["--stop-on", "socket,file"])
        #expect(changed["spec"]?["initContainers"] == nil)
    }

    @Test("a pod whose containers request what they are limited to stays Guaranteed")
    func guaranteed() throws {
        let compute =
            #"{"name":"compute","image":"i","resources":{"limits":{"cpu":"2","memory":"1G"},"requests":{"cpu":"2"}}}"#
        let pod = Objects.pod(containers: compute)
        let added = container(of: applying(try PodPatch(pod, .on, settings()), to: pod), in: "initContainers")
        #expect(added?["resources"]?["requests"] == added?["resources"]?["limits"])
    }

    @Test(
        "KubeVirt's own container keeps its arguments and resources, and gets the other image",
        arguments: ["initContainers", "containers"]
    )
    func replaces(list: String) throws {
        let own = #"{"name":"guest-console-log","image":"upstream","args":["--logfile","/x"]}"#
        let pod =
            list == "containers"
            ? Objects.pod(containers: Objects.compute + "," + own)
            : Objects.pod(extra: #""initContainers":[\#(own)],"volumes":[]"#)
        let patch = try PodPatch(pod, nil, settings(image: "ours"))
        let index = list == "containers" ? 1 : 0
        #expect(patch.operations == [.replace(path: "/spec/\(list)/\(index)/image", value: .string("ours"))])
        #expect(try PodPatch(pod, nil, settings()).operations.isEmpty)
    }

    @Test("applied to its own result it is empty", arguments: LogContainer.Style.allCases)
    func isIdempotent(style: LogContainer.Style) throws {
        let pod = Objects.pod()
        let changed = applying(try PodPatch(pod, .on, settings(image: "ours", style)), to: pod)
        #expect(try PodPatch(changed, .on, settings(image: "ours", style)).operations.isEmpty)
    }

    @Test("a VM that is not logged, or of which nothing is known, keeps its pod, and the reason is said")
    func leaves() throws {
        for (logging, words) in [
            (SerialLogging.off(by: .vm), "logSerialConsole is false"),
            (.off(by: .cluster), "disableSerialConsoleLog"),
            (.noDevice(isRequested: true), "cannot be logged"),
            (nil, "the VM's settings are not known"),
        ] as [(SerialLogging?, String)] {
            let patch = try PodPatch(Objects.pod(), logging, settings(image: "ours"))
            #expect(patch.operations.isEmpty)
            #expect(try #require(patch.reason).contains(words))
        }
    }

    @Test("the pod's annotation takes precedence over the VM's settings, both ways")
    func annotation() throws {
        let on = Objects.pod(annotations: #""guestlog/log-serial-console":"true""#)
        #expect(try PodPatch(on, .off(by: .cluster), settings()).operations.count == 1)
        #expect(try PodPatch(on, nil, settings()).operations.count == 1)
        let off = Objects.pod(annotations: #""guestlog/log-serial-console":"false""#)
        #expect(try PodPatch(off, .on, settings()).operations.isEmpty)
        let wrong = Objects.pod(annotations: #""guestlog/log-serial-console":"yes""#)
        #expect(throws: KubeVirtError.self) { try PodPatch(wrong, .on, settings()) }
    }

    @Test("a pod that lacks what the container needs is an error that names it")
    func errors() {
        func error(_ pod: JSON, image: String? = nil) -> String? {
            do {
                _ = try PodPatch(pod, .on, settings(image: image))
                return nil
            } catch {
                return "\(error)"
            }
        }
        #expect(error(Objects.parse("{}"))?.contains("not a virt-launcher pod") == true)
        #expect(error(Objects.pod(extra: #""volumes":[]"#))?.contains("no volume private") == true)
        #expect(error(Objects.pod(containers: ""))?.contains("set an image") == true)
        let label = #""kubevirt.io/created-by":"../x""#
        #expect(error(Objects.pod(labels: label), image: "i")?.contains("not a UUID") == true)
    }

    @Test("without the label the UID is that of the owning instance")
    func owner() throws {
        var pod = Objects.pod(labels: #""x":"y""#)
        let owners = #"[{"kind":"VirtualMachineInstance","name":"testvm","uid":"\#(Objects.uid)"}]"#
        pod = setting(Objects.parse(owners), at: ["metadata", "ownerReferences"], in: pod)
        let added = container(of: applying(try PodPatch(pod, .on, settings()), to: pod), in: "initContainers")
        #expect(added?["args"]?.elements?.last?.text?.contains(Objects.uid) == true)
        #expect(LauncherPod(pod)?.instance == Objects.uid && LauncherPod(pod)?.vm == "testvm")
    }
}
