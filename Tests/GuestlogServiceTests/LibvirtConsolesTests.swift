// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Libvirt
import LogModel
import TestTraits
import Testing

@testable import GuestlogService

/// The streams of libvirt's consoles, which the log daemon numbers in the order in which libvirtd opens their logs.
@Suite(.blocking) struct LibvirtConsolesTests {
    /// The streams of the consoles that can be joined, by their sockets.
    private func streams(_ devices: String) throws -> [String: String] {
        let xml = "<domain type='kvm'><name>vm</name><devices>\(devices)</devices></domain>"
        let consoles = LibvirtConsoles.consoles(of: try DomainFacts(xml: Array(xml.utf8)))
        return Dictionary(uniqueKeysWithValues: consoles.map { ("\($0.endpoint)", $0.key.stream.text) })
    }

    private func unix(_ element: String, _ path: String, log: String? = nil, target: String = "") -> String {
        let log = log.map { "<log file='\($0)' append='on'/>" } ?? ""
        return "<\(element) type='unix'><source mode='bind' path='\(path)'/>\(target)\(log)</\(element)>"
    }

    private func expect(_ devices: String, _ expected: [String: String]) throws {
        let found = try streams(devices)
        #expect(found.count == expected.count)
        for (path, stream) in expected {
            #expect(found.first { $0.key.contains(path) }?.value == stream, "\(path): \(found)")
        }
    }

    @Test("a serial port that is a file has a number, with a log or without")
    func files() throws {
        let file = "<serial type='file'><source path='/l/c'/></serial>"
        let pty = "<serial type='pty'><log file='/l/0'/></serial>"
        try expect(
            pty + unix("serial", "/s1", log: "/l/1") + file + unix("serial", "/s3", log: "/l/3"),
            ["/s1": "console1", "/s3": "console3"]
        )
        try expect(file + unix("serial", "/s1"), ["/s1": "console1"])
    }

    @Test("logs of channels and parallel ports are counted before those of consoles of their own")
    func otherDevices() throws {
        let virtio = "<target type='virtio' port='0'/>"
        try expect(
            unix("console", "/c", log: "/l/c", target: virtio) + unix("serial", "/s", log: "/l/s")
                + unix("channel", "/ch", log: "/l/ch") + unix("channel", "/unlogged")
                + "<parallel type='pty'><log file='/l/p'/></parallel>",
            ["/s": "console0", "/c": "console3"]
        )
    }

    @Test("a port without a log has a number after all logs")
    func unlogged() throws {
        try expect(
            unix("serial", "/s0") + unix("serial", "/s1", log: "/l/1") + unix("serial", "/s2"),
            ["/s0": "console1", "/s1": "console0", "/s2": "console2"]
        )
    }
}
