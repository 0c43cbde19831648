// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

/// A compute host in nova's configuration: libvirtd with Guestlog's log daemon, `guestlog serve` besides with its API
/// on TCP, and OpenStack's own client.
final class ComputeHost {
    /// The folder of the client's programs; GUESTLOG_OPENSTACK_CLIENT sets it, and scripts/test creates it.
    static let clients = Program.variable("GUESTLOG_OPENSTACK_CLIENT")

    let libvirt: LibvirtHost
    private var daemon: ChildProcess?
    private let address: NetworkAddress
    private var calls = 0

    var authority: String { libvirt.path + "/tls.crt" }
    private var endpoint: String { "https://\(address)/v2.1" }
    private var configuration: String { libvirt.path + "/serve.yaml" }

    init() throws {
        libvirt = try LibvirtHost()
        address = try Self.freeAddress(from: 8774)
        let (path, listen) = (libvirt.path, address)
        Certificate.make("compute", in: path)
        FileText.write(
            """
            store: \(path)/store
            runtime: /run/guestlog-serve
            api: { listen: '\(listen)', certificate: \(path)/tls.crt, key: \(path)/tls.key }

            """,
            to: configuration
        )
        let started = libvirt.begin([Program.guestlog, "serve", "--config", configuration], name: "serve")
        daemon = started
        #expect(eventually { started.standardError.contains("serves") }, "\(started.standardError)")
    }

    deinit {
        daemon?.stop()
    }

    /// A free address of the loopback, from that port on.
    static func freeAddress(from port: UInt16) throws -> NetworkAddress {
        let free = (port..<port + 1000).lazy.compactMap { NetworkAddress(host: "127.0.0.1", port: $0) }
            .first { (try? $0.listen()) != nil }
        return try #require(free)
    }

    /// Runs a Guestlog command with this host's daemon.
    func guestlog(_ words: String...) -> LibvirtHost.Answer {
        libvirt.run([Program.guestlog] + words + ["--config", configuration])
    }

    /// Creates a token.
    func token(_ words: String...) -> String {
        let answer = libvirt.run([Program.guestlog, "token", "add"] + words + ["--config", configuration])
        #expect(answer.status == 0, "\(answer.standardError)")
        return answer.text.split(separator: "\n").first.map(String.init) ?? ""
    }

    /// Runs OpenStack's client with that token.
    func openstack(_ token: String, _ words: String...) -> LibvirtHost.Answer {
        libvirt.run(
            [
                (Self.clients ?? "") + "/openstack", "--os-auth-type", "admin_token", "--os-token", token,
                "--os-endpoint",
                endpoint, "--os-cacert", authority,
            ] + words
        )
    }

    /// A client on a serial console, which performs `steps` there.
    func openConsole(_ url: String, by subprotocol: String, _ steps: [String]) -> ChildProcess {
        calls += 1
        let script = Program.repository + "/Tests/EndToEndTests/Clients/serial_console.py"
        let session = libvirt.begin(
            [(Self.clients ?? "") + "/python3", script, url, authority, subprotocol],
            name: "session-\(calls)"
        )
        session.send(steps.map { $0 + "\n" }.joined())
        session.closeInput()
        return session
    }

    /// The XML of a nova instance, as nova's libvirt driver creates it: its serial port listens for TCP and has a log.
    /// It boots the test guest, and waits for a login.
    func instance(_ uuid: String, _ name: String, _ displayName: String, port: UInt16) -> String {
        let folder = "\(libvirt.path)/instances/\(uuid)"
        mkdir(libvirt.path + "/instances", 0o755)
        mkdir(folder, 0o755)
        let guest = GuestImage.folder ?? ""
        let (machine, architecture, console) = LibvirtHost.machine
        return """
            <domain type='qemu'>
              <uuid>\(uuid)</uuid>
              <name>\(name)</name>
              <memory>131072</memory>
              <vcpu>1</vcpu>
              <metadata>
                <nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
                  <nova:package version="25.2.1"/>
                  <nova:name>\(displayName)</nova:name>
                  <nova:creationTime>2024-03-01 09:12:44</nova:creationTime>
                  <nova:owner>
                    <nova:user uuid="a97f0c9f2d7f4f9db2b0b0a5b2a3c4d5">alice</nova:user>
                    <nova:project uuid="3f1f0a1b2c3d4e5f60718293a4b5c6d7">retail</nova:project>
                  </nova:owner>
                </nova:instance>
              </metadata>
              <sysinfo type='smbios'>
                <system>
                  <entry name='manufacturer'>OpenStack Foundation</entry>
                  <entry name='product'>OpenStack Nova</entry>
                  <entry name='serial'>\(uuid)</entry>
                  <entry name='uuid'>\(uuid)</entry>
                </system>
              </sysinfo>
              <os>
                <type arch='\(architecture)' machine='\(machine)'>hvm</type>
                <kernel>\(guest)/vmlinuz</kernel>
                <initrd>\(guest)/initrd.gz</initrd>
                <cmdline>console=\(console) quiet panic=-1</cmdline>
                <smbios mode='sysinfo'/>
              </os>
              <features><acpi/></features>
              <clock offset='utc'/>
              <devices>
                <emulator>\(Program.qemu ?? "")</emulator>
                <serial type='tcp'>
                  <source mode='bind' host='127.0.0.1' service='\(port)'/>
                  <protocol type='raw'/>
                  <log file='\(folder)/console.log' append='off'/>
                  <target port='0'/>
                </serial>
                <memballoon model='none'/>
              </devices>
            </domain>

            """
    }
}
