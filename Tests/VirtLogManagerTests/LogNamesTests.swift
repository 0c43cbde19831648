// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import VirtLogManager

/// The stream of a log, determined by its path alone.
@Suite(.blocking) struct LogNamesTests {
    private let owner = LogOwner(driver: "qemu", uuid: "2614bd12-833f-4016-be72-d82c29d2e247", name: "web")
    private let folder = "/var/log/libvirt/qemu/"

    @Test(
        "logs of libvirt's helpers are their streams",
        arguments: [
            ("web.log", "qemu"), ("web-swtpm.log", "qemu-swtpm"), ("web-fs0-virtiofsd.log", "qemu-fs0-virtiofsd"),
            ("web-ua-my-fs-virtiofsd.log", "qemu-ua-my-fs-virtiofsd"),
            ("web-nbdkit-libvirt-1-storage.log", "qemu-nbdkit-libvirt-1-storage"),
            ("web-video0-vhost-user-gpu.log", "qemu-video0-vhost-user-gpu"), ("web-dbus.log", "qemu-dbus"),
        ]
    )
    func helpers(file: String, stream: String) {
        var names = LogNames()
        #expect(names.stream(of: folder + file, owner, besides: []).text == stream)
        #expect(names.stream(of: "/run/user/1000/libvirt/qemu/log/" + file, owner, besides: []).text == stream)
        #expect(names.stream(of: "/srv/logs/" + file, owner, besides: []).text == "console0")
    }

    @Test(
        "all other logs are consoles, in libvirt's own folder too",
        arguments: [
            "web-serial0.log", "web-console.log", "web-console0.log", "web-virtiofsd-not.txt", "webvirtiofsd.log",
            "web2.log", "other-virtiofsd.log", "anything",
        ]
    )
    func consoles(file: String) {
        var names = LogNames()
        #expect(names.stream(of: folder + file, owner, besides: []) == .console0)
        #expect(names.stream(of: folder + file, owner, besides: []) == .console0)
        #expect(names.stream(of: folder + "web-serial1.log", owner, besides: []).text == "console1")
    }

    @Test("a log keeps the stream that it had in the previous process, until the VM's logs have ended")
    func handOver() throws {
        var names = LogNames()
        let path = folder + "web-serial0.log"
        names.resume(path, owner, as: try #require(StreamName("qemu-serial0")))
        #expect(names.stream(of: path, owner, besides: []).text == "qemu-serial0")
        #expect(names.stream(of: folder + "web-serial1.log", owner, besides: []) == .console0)
        names.forget(owner.uuid)
        #expect(names.stream(of: path, owner, besides: []) == .console0)
    }

    @Test("a VM's name that is too long for the store is cut at the end of a character, and still selects the VM")
    func longNames() throws {
        let name = String(repeating: "d", count: 127) + "ü" + "x"
        let owner = LogOwner(driver: "qemu", uuid: self.owner.uuid, name: name)
        #expect(owner.shortName == String(repeating: "d", count: 127))
        let vm = VMIdentity(name: owner.shortName, uuid: owner.uuid)
        func matches(_ word: String) -> Bool {
            !VMWord(word).matches(in: [vm], identity: \.self, folder: \.directoryName).isEmpty
        }
        #expect(matches(name) && matches(owner.shortName) && !matches(String(name.dropFirst())))
    }
}
