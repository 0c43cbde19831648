// SPDX-License-Identifier: Apache-2.0

import Libvirt
import TestTraits
import Testing

@Suite("What a libvirt domain's XML tells", .blocking)
struct DomainFactsTests {
    private func facts(_ text: String) throws(DomainXMLError) -> DomainFacts {
        try DomainFacts(xml: Array(text.utf8))
    }

    private func domain(_ devices: String) -> String {
        "<domain type='kvm'><name>vm</name><devices>\(devices)</devices></domain>"
    }

    private func ports(_ devices: String) throws -> [SerialPort] {
        try facts(domain(devices)).ports
    }

    // MARK: Whole domains

    private let nova = """
        <domain type='kvm' id='17'>
          <name>instance-0000002a</name>
          <uuid>6C5B4C1E-8A53-4D59-9A37-2F4E1B6F0A11</uuid>
          <metadata>
            <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
              <nova:package version="25.2.1"/>
              <nova:name>shop &amp; till</nova:name>
              <nova:creationTime>2024-03-01 09:12:44</nova:creationTime>
              <nova:flavor name="m1.small">
                <nova:memory>2048</nova:memory>
                <nova:disk>20</nova:disk>
                <nova:swap>0</nova:swap>
                <nova:ephemeral>0</nova:ephemeral>
                <nova:vcpus>1</nova:vcpus>
              </nova:flavor>
              <nova:owner>
                <nova:user uuid="a97f0c9f2d7f4f9db2b0b0a5b2a3c4d5">alice</nova:user>
                <nova:project uuid="3f1f0a1b2c3d4e5f60718293a4b5c6d7">retail</nova:project>
              </nova:owner>
              <nova:root type="image" uuid="0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"/>
              <nova:ports>
                <nova:port uuid="11111111-2222-3333-4444-555555555555"><nova:ip type="fixed" address="10.0.0.7"/></nova:port>
              </nova:ports>
            </nova:instance>
          </metadata>
          <memory unit='KiB'>2097152</memory>
          <currentMemory unit='KiB'>2097152</currentMemory>
          <vcpu placement='static'>1</vcpu>
          <sysinfo type='smbios'>
            <system>
              <entry name='manufacturer'>OpenStack Foundation</entry>
              <entry name='uuid'>6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11</entry>
            </system>
          </sysinfo>
          <os>
            <type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
            <boot dev='hd'/>
            <smbios mode='sysinfo'/>
          </os>
          <devices>
            <emulator>/usr/bin/qemu-system-x86_64</emulator>
            <disk type='file' device='disk'>
              <source file='/var/lib/nova/instances/6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11/disk'/>
              <target dev='vda' bus='virtio'/>
            </disk>
            <serial type='tcp'>
              <source mode='bind' host='127.0.0.1' service='10000' tls='no'/>
              <protocol type='raw'/>
              <log file='/var/lib/nova/instances/6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11/console.log' append='off'/>
              <target type='isa-serial' port='0'>
                <model name='isa-serial'/>
              </target>
              <alias name='serial0'/>
            </serial>
            <console type='tcp'>
              <source mode='bind' host='127.0.0.1' service='10000' tls='no'/>
              <protocol type='raw'/>
              <log file='/var/lib/nova/instances/6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11/console.log' append='off'/>
              <target type='serial' port='0'/>
              <alias name='serial0'/>
            </console>
          </devices>
        </domain>
        """

    @Test("a domain of Nova's: its display name, and the port that its serial console listens on")
    func novaDomain() throws {
        let facts = try facts(nova)
        #expect(facts.name == "instance-0000002a")
        #expect(facts.uuid == "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11")
        #expect(facts.title == nil)
        let instance = NovaInstance(
            name: "shop & till",
            project: .init(uuid: "3f1f0a1b2c3d4e5f60718293a4b5c6d7", name: "retail"),
            user: .init(uuid: "a97f0c9f2d7f4f9db2b0b0a5b2a3c4d5", name: "alice")
        )
        #expect(facts.nova == instance)
        let log = "/var/lib/nova/instances/6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11/console.log"
        let source = SerialPort.Source.tcpListener(host: "127.0.0.1", port: 10000)
        #expect(facts.ports == [SerialPort(kind: .serial, port: 0, source: source, logFile: log)])
    }

    @Test("a running domain of virt-install's: a pseudo-terminal, and virtio's channel is not a console")
    func virtInstall() throws {
        let facts = try facts(
            """
            <domain type='kvm' id='2'>
              <name>debian12</name>
              <uuid>4dea22b3-1d52-d8f3-2516-782e98ab3fa0</uuid>
              <title>The build host</title>
              <metadata>
                <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
                  <libosinfo:os id="http://debian.org/debian/12"/>
                </libosinfo:libosinfo>
              </metadata>
              <devices>
                <serial type='pty'>
                  <source path='/dev/pts/3'/>
                  <target type='isa-serial' port='0'><model name='isa-serial'/></target>
                </serial>
                <console type='pty' tty='/dev/pts/3'>
                  <source path='/dev/pts/3'/>
                  <target type='serial' port='0'/>
                </console>
                <channel type='unix'>
                  <source mode='bind' path='/run/libvirt/qemu/channel/2-debian12/org.qemu.guest_agent.0'/>
                  <target type='virtio' name='org.qemu.guest_agent.0' state='disconnected'/>
                </channel>
              </devices>
            </domain>
            """
        )
        #expect(facts.title == "The build host")
        #expect(facts.nova == nil)
        let source = SerialPort.Source.pseudoTerminal(path: "/dev/pts/3")
        #expect(facts.ports == [SerialPort(kind: .serial, port: 0, source: source, logFile: nil)])
    }

    @Test("a vsock device's CID, if it has one")
    func vsock() throws {
        #expect(try facts(domain("<vsock model='virtio'><cid auto='yes' address='7'/></vsock>")).vsockContext == 7)
        for devices in ["<vsock/>", "<vsock><cid auto='yes'/></vsock>", "<vsock><cid address='x'/></vsock>", ""] {
            #expect(try facts(domain(devices)).vsockContext == nil, "\(devices)")
        }
    }

    @Test("a domain with only a name; one without serial devices")
    func little() throws {
        #expect(try facts("<domain><name>a</name></domain>") == DomainFacts(name: "a", uuid: nil))
        let odd = "<domain><name>a</name><uuid>none</uuid><devices><serial type='null'/></devices></domain>"
        #expect(try facts(odd).uuid == nil)
        #expect(try facts(odd).ports.map(\.source) == [.other(type: "null")])
    }

    // MARK: Ports

    @Test(
        "the other end of a port",
        arguments: [
            ("<serial type='unix'><source mode='bind' path='/a&amp;b'/></serial>", .unixListener(path: "/a&b")),
            ("<serial type='unix'><source mode='connect' path='/a'/></serial>", .other(type: "unix")),
            ("<serial type='unix'><source mode='bind'/></serial>", .other(type: "unix")),
            ("<serial type='pty'/>", .pseudoTerminal(path: nil)),
            ("<serial/>", .pseudoTerminal(path: nil)),
            ("<serial type='file'><source path='/a'/></serial>", .other(type: "file")),
            (
                "<serial type='tcp'><source mode='bind' host='::1' service='1'/></serial>",
                .tcpListener(host: "::1", port: 1)
            ),
            ("<serial type='tcp'><source mode='connect' host='h' service='1'/></serial>", .other(type: "tcp")),
            ("<serial type='tcp'><source mode='bind' host='h' service='0'/></serial>", .other(type: "tcp")),
            ("<serial type='tcp'><source mode='bind' host='h' service='65536'/></serial>", .other(type: "tcp")),
            ("<serial type='tcp'><source mode='bind' host='h' service='http'/></serial>", .other(type: "tcp")),
            ("<serial type='tcp'><source mode='bind' host='h' service='1' tls='yes'/></serial>", .other(type: "tcp")),
            (
                "<serial type='tcp'><source mode='bind' host='h' service='1'/><protocol type='telnet'/></serial>",
                .other(type: "tcp")
            ),
            ("<serial type='tcp'/>", .other(type: "tcp")),
        ] as [(String, SerialPort.Source)]
    )
    func source(device: String, expected: SerialPort.Source) throws {
        #expect(try ports(device).map(\.source) == [expected])
    }

    @Test("ports keep their order, and consoles that are devices of their own come last")
    func order() throws {
        let ports = try ports(
            """
            <console type='pty'><target type='serial' port='0'/></console>
            <serial type='pty'><target port='0'/></serial>
            <console type='pty' tty='/dev/pts/9'><target type='virtio' port='1'/><log file='/l'/></console>
            <serial type='unix'><source mode='bind' path='/a'/><target port='1'/></serial>
            <serial type='null'><target port='x'/></serial>
            """
        )
        #expect(ports.map(\.kind) == [.serial, .serial, .serial, .console])
        #expect(ports.map(\.port) == [0, 1, nil, 1])
        #expect(ports.last?.source == .pseudoTerminal(path: "/dev/pts/9"))
        #expect(ports.map(\.logFile) == [nil, nil, nil, "/l"])
    }

    @Test("consoles without a serial device: s390x's, a container's", arguments: ["sclp", "lxc", "virtio"])
    func consoles(type: String) throws {
        let device = "<console type='pty'><source path='/dev/pts/1'/><target type='\(type)' port='0'/></console>"
        let port = SerialPort(kind: .console, port: 0, source: .pseudoTerminal(path: "/dev/pts/1"), logFile: nil)
        #expect(try ports(device) == [port])
    }

    @Test("a console without a serial device, from which libvirt will make one, counts as serial")
    func consoleAlone() throws {
        #expect(try ports("<console type='pty'/>").map(\.kind) == [.serial])
    }

    // MARK: Nova's metadata

    private func instance(_ metadata: String, domain: String = "") throws -> NovaInstance? {
        try facts("<domain \(domain)><name>a</name>\(metadata)</domain>").nova
    }

    private let namespace = "http://openstack.org/xmlns/libvirt/nova/1.0"

    @Test("Nova's element is identified by its namespace, whatever the prefix and wherever it is bound")
    func prefixes() throws {
        let expected = NovaInstance(name: "n", project: nil, user: nil)
        let own = "<metadata><x:instance xmlns:x='\(namespace)'><x:name>n</x:name></x:instance></metadata>"
        #expect(try instance(own) == expected)
        let plain = "<metadata><instance xmlns='\(namespace)'><name>n</name></instance></metadata>"
        #expect(try instance(plain) == expected)
        let around = "<metadata xmlns:x='\(namespace)'><x:instance><x:name>n</x:name></x:instance></metadata>"
        #expect(try instance(around) == expected)
        let above = "<metadata><x:instance><x:name>n</x:name></x:instance></metadata>"
        #expect(try instance(above, domain: "xmlns:x='\(namespace)'") == expected)
    }

    @Test(
        "an element of that name in another namespace is not Nova's",
        arguments: [
            "<metadata><nova:instance xmlns:nova='urn:mine'><nova:name>n</nova:name></nova:instance></metadata>",
            "<metadata><nova:instance><nova:name>n</nova:name></nova:instance></metadata>",
            "<metadata><instance><name>n</name></instance></metadata>",
            "<metadata/>",
            """
            <metadata xmlns:x='http://openstack.org/xmlns/libvirt/nova/1.0'>
            <x:instance xmlns:x='urn:mine'><x:name>n</x:name></x:instance></metadata>
            """,
        ]
    )
    func others(metadata: String) throws {
        #expect(try instance(metadata) == nil)
    }

    @Test("an incomplete instance; an owner without an ID is ignored")
    func incomplete() throws {
        let instance = try instance(
            """
            <metadata><n:instance xmlns:n='\(namespace)'><n:owner><n:user>bob</n:user><n:project uuid=''/></n:owner>
            </n:instance></metadata>
            """
        )
        #expect(instance == NovaInstance(name: nil, project: .init(uuid: "", name: ""), user: nil))
    }

    // MARK: Odd

    @Test(
        "malformed domain XML is an error",
        arguments: ["", "<domain>", "<a/>", "<domain/>", "<domain><name/></domain>"]
    )
    func odd(text: String) {
        #expect(throws: DomainXMLError.self) { try facts(text) }
    }

    @Test("a truncated domain is an error; one with a changed byte is parsed or refused")
    func damaged() throws {
        let whole = Array(nova.utf8)
        for end in stride(from: 0, to: whole.count, by: 7) {
            #expect(throws: DomainXMLError.self) { try DomainFacts(xml: Array(whole[..<end])) }
        }
        for place in stride(from: 0, to: whole.count, by: 7) {
            var bytes = whole
            bytes[place] = [UInt8(ascii: "<"), UInt8(ascii: "'"), 0, 0xff][place % 4]
            _ = try? DomainFacts(xml: bytes)
        }
    }

    @Test("many bindings and many elements are parsed in linear time")
    func large() throws {
        let bindings = (0..<20_000).map { "xmlns:a\($0)='urn:b'" }.joined(separator: " ")
        let elements = (0..<20_000).map { "<a\($0):instance/>" }.joined()
        let text = "<domain \(bindings)><name>a</name><metadata \(bindings)>\(elements)</metadata></domain>"
        #expect(try facts(text).nova == nil)
    }
}
