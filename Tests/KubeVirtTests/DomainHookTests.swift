// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("The hook OnDefineDomain", .blocking)
struct DomainHookTests {
    private static let folder = "/var/run/kubevirt-private/\(Objects.uid)"
    private static let log = "<log file='\(folder)/virt-serial0-log' append='on'/>"

    /// A domain as virt-launcher defines it, on one line, with what other programs put there.
    private static func domain(serialLog: String = "", consoleLog: String = "") -> String {
        """
        <domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><name>simone_testvm</name>\
        <metadata><kubevirt xmlns="http://kubevirt.io"><uid>\(Objects.uid)</uid></kubevirt></metadata>\
        <!-- a > comment --><description><![CDATA[<serial>]]> &amp;</description>\
        <devices><serial type="unix"><target port="0"></target>\
        <source mode="bind" path="\(folder)/virt-serial0"></source>\(serialLog)<alias name="ua-serial0"></alias></serial>\
        <console type="unix"><target type="serial" port="0"></target>\
        <source mode="bind" path="\(folder)/virt-serial0"></source>\(consoleLog)</console>\
        <serial type="unix"><target port="1"></target><source mode="bind" path="/custom"></source></serial></devices>\
        <qemu:commandline><qemu:arg value="-set"/><qemu:env name='A' value="b"/></qemu:commandline></domain>
        """
    }

    private func define(_ domain: String, _ devices: String = "", _ hook: DomainHook = DomainHook()) -> (
        String, String?
    ) {
        let outcome = hook.define(Array(domain.utf8), for: Array(Objects.instance(devices).utf8))
        return (String(decoding: outcome.domain, as: UTF8.self), outcome.reason)
    }

    @Test("the serial device and the console that stands for it get the log; every other byte stays")
    func adds() {
        let (text, reason) = define(Self.domain())
        #expect(text == Self.domain(serialLog: Self.log, consoleLog: Self.log))
        #expect(reason == nil)
    }

    @Test("in KubeVirt's own style the serial device alone gets it")
    func serialOnly() {
        let (text, _) = define(Self.domain(), "", DomainHook(isSerialOnly: true))
        #expect(text == Self.domain(serialLog: Self.log))
    }

    @Test("a second pass over its own output changes nothing", arguments: [true, false])
    func isIdempotent(isSerialOnly: Bool) {
        let hook = DomainHook(isSerialOnly: isSerialOnly)
        let (once, _) = define(Self.domain(), "", hook)
        let (twice, reason) = define(once, "", hook)
        #expect(once == twice && reason == nil)
    }

    @Test("the log that KubeVirt gave the serial device itself stays as it is, and the console gets it too")
    func completes() {
        let own = #"<log file="\#(Self.folder)/virt-serial0-log" append="on"></log>"#
        let (text, _) = define(Self.domain(serialLog: own))
        #expect(text == Self.domain(serialLog: own, consoleLog: Self.log))
    }

    @Test(
        "a VM that is not to be logged keeps its domain to the byte, and the reason is said",
        arguments: [
            (#""logSerialConsole":false"#, "logSerialConsole is false"),
            (#""autoattachSerialConsole":false"#, "it has no serial console"),
            (#""autoattachSerialConsole":false,"logSerialConsole":true"#, "though logSerialConsole is true"),
        ]
    )
    func off(devices: String, words: String) throws {
        let (text, reason) = define(Self.domain(), devices)
        #expect(text == Self.domain())
        #expect(try #require(reason).contains(words))
    }

    @Test("the VM's own setting takes precedence over a cluster that is off")
    func clusterDefault() {
        let hook = DomainHook(clusterDefault: false)
        #expect(define(Self.domain(), "", hook).0 == Self.domain())
        #expect(define(Self.domain(), #""logSerialConsole":true"#, hook).0.contains("virt-serial0-log"))
    }

    @Test("the annotation takes precedence over the settings, as for the pod; without the device there is no log")
    func annotation() throws {
        func define(_ choice: String, _ devices: String) -> DomainHook.Outcome {
            let annotations = #""annotations":{"guestlog/log-serial-console":"\#(choice)"},"namespace""#
            let instance = Objects.instance(devices).replacing(#""namespace""#, with: annotations)
            return DomainHook(clusterDefault: false).define(Array(Self.domain().utf8), for: Array(instance.utf8))
        }
        let logged = Array(Self.domain(serialLog: Self.log, consoleLog: Self.log).utf8)
        #expect(define("true", "").domain == logged)
        #expect(define("true", #""logSerialConsole":false"#).domain == logged)
        let own = Array(Self.domain().utf8)
        let declined = define("false", #""logSerialConsole":true"#)
        #expect(declined.domain == own && declined.reason?.contains("is \"false\"") == true)
        #expect(define("true", #""autoattachSerialConsole":false"#).domain == own)
        #expect(define("yes", "").reason?.contains("neither") == true)
    }

    @Test("a domain whose first serial device is a custom one is left alone")
    func customDevice() throws {
        let custom = Self.domain().replacing("\(Self.folder)/virt-serial0\"", with: "/custom/socket\"")
        let (text, reason) = define(custom)
        #expect(text == custom)
        #expect(try #require(reason).contains("does not listen at \(Self.folder)/virt-serial0"))
    }

    @Test(
        "whatever is wrong, the domain is printed as it was given",
        arguments: ["", "<domain>", "not XML", "<domain><devices/></domain>", "<!DOCTYPE d []><domain/>"]
    )
    func malformedDomain(text: String) {
        let (out, reason) = define(text)
        #expect(out == text && reason != nil)
    }

    @Test("an instance that is not JSON, or whose UID is no UUID, changes nothing")
    func malformedInstance() {
        for text in ["", "{", "[]", Objects.instance(uid: "../../etc"), Objects.instance(uid: "")] {
            let outcome = DomainHook().define(Array(Self.domain().utf8), for: Array(text.utf8))
            #expect(outcome.domain == Array(Self.domain().utf8) && outcome.reason != nil)
        }
    }
}
