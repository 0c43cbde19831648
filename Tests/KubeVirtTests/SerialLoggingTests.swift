// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("Whether a VM's serial console is logged", .blocking)
struct SerialLoggingTests {
    @Test(
        "a missing device decides first, then the VM, then the cluster; unset everywhere is on",
        arguments: [
            // autoattach, log, the cluster's default
            (nil, nil, true, SerialLogging.on),
            (nil, nil, false, .off(by: .cluster)),
            (nil, true, true, .on),
            (nil, true, false, .on),
            (nil, false, true, .off(by: .vm)),
            (nil, false, false, .off(by: .vm)),
            (true, nil, true, .on),
            (true, nil, false, .off(by: .cluster)),
            (true, true, false, .on),
            (true, false, true, .off(by: .vm)),
            (false, nil, true, .noDevice(isRequested: false)),
            (false, nil, false, .noDevice(isRequested: false)),
            (false, true, true, .noDevice(isRequested: true)),
            (false, true, false, .noDevice(isRequested: true)),
            (false, false, true, .noDevice(isRequested: false)),
        ] as [(Bool?, Bool?, Bool, SerialLogging)]
    )
    func precedence(attach: Bool?, log: Bool?, clusterDefault: Bool, expected: SerialLogging) {
        let devices = SerialDevices(isAttached: attach, isLogged: log)
        #expect(SerialLogging(devices, clusterDefault: clusterDefault) == expected)
    }

    @Test("the settings are read from an instance and from a VM's template; null is unset")
    func reading() throws {
        let instance = Objects.parse(Objects.instance(#""autoattachSerialConsole":null,"logSerialConsole":false"#))
        #expect(try SerialDevices(of: instance) == SerialDevices(isAttached: nil, isLogged: false))
        let vm = Objects.parse(
            #"{"kind":"VirtualMachine","spec":{"template":{"spec":{"domain":{"devices":{"logSerialConsole":true}}}}}}"#
        )
        #expect(try SerialDevices(of: vm) == SerialDevices(isAttached: nil, isLogged: true))
        #expect(try SerialDevices(of: .object([])) == SerialDevices())
    }

    @Test("a setting that is neither true nor false is an error that names the field")
    func malformed() {
        let instance = Objects.parse(Objects.instance(#""logSerialConsole":"yes""#))
        let error = #expect(throws: KubeVirtError.self) { try SerialDevices(of: instance) }
        #expect(error?.description == "spec.domain.devices.logSerialConsole is neither true nor false")
    }

    @Test(
        "the presence of disableSerialConsoleLog, an empty object, switches the cluster's default off",
        arguments: [
            (#"{}"#, true),
            (#"{"spec":{"configuration":{}}}"#, true),
            (#"{"spec":{"configuration":{"virtualMachineOptions":{"disableSerialConsoleLog":null}}}}"#, true),
            (#"{"spec":{"configuration":{"virtualMachineOptions":{"disableSerialConsoleLog":{}}}}}"#, false),
        ]
    )
    func clusterDefault(text: String, isOn: Bool) {
        #expect(SerialLogging.clusterDefault(of: Objects.parse(text)) == isOn)
    }

    @Test("what was asked for and is impossible is said, with the field that makes it so")
    func impossible() {
        let words = SerialLogging(SerialDevices(isAttached: false, isLogged: true)).explanation
        #expect(words.contains("cannot be logged, though logSerialConsole is true"))
        #expect(words.contains("autoattachSerialConsole is false"))
    }
}
