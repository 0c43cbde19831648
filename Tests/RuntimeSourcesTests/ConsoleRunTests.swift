// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import RotatingFile
import SystemIO
import TestSupport
import TestTraits
import Testing
import Transforms

@testable import RuntimeSources

@Suite(.blocking) struct ConsoleRunTests {
    private let vm = VMIdentity(name: "web", namespace: "simone")
    private let fixture: SourceFixture

    init() throws {
        fixture = try SourceFixture()
    }

    private func file(_ name: String, beginsBoot: Bool = true) -> ConsoleFile {
        let path = fixture.folder.path + "/" + name + "/log"
        return ConsoleFile(id: name, path: path, origin: "pod-" + name, beginsBoot: beginsBoot)
    }

    private func source(_ files: ConsoleFile..., vm: VMIdentity? = nil) -> SourceDefinition {
        SourceDefinition(name: "console", kind: .console(files), tag: "", vm: vm ?? self.vm, stream: .console0)
    }

    private func begin(_ sources: SourceDefinition...) throws -> SourceService {
        let service = try SourceService([], pipeline: Pipeline(), into: fixture.capture, followsFiles: true)
        service.setFiles(sources)
        return service
    }

    private func append(_ text: String, to file: ConsoleFile) {
        let folder = DirectoryHandle.split(file.path).directory
        mkdir(folder, 0o755)
        let descriptor = open(file.path, O_WRONLY | O_APPEND | O_CREAT, 0o600)
        let bytes = Array(text.utf8)
        #expect(write(descriptor, bytes, bytes.count) == bytes.count)
        close(descriptor)
    }

    /// As virtlogd does, with three backups.
    private func rotate(_ file: ConsoleFile) {
        rename(file.path + ".1", file.path + ".2")
        rename(file.path + ".0", file.path + ".1")
        rename(file.path, file.path + ".0")
    }

    private var store: Store { Store(root: fixture.folder.path + "/store") }

    /// The stored text, and the words of the markers in it, in brackets where they are.
    private func stored(_ vm: VMIdentity? = nil) throws -> String {
        let stored = try StoredText(of: StreamID(vm: (vm ?? self.vm).directoryName, stream: .console0), in: store)
        var text = ""
        var start = 0
        for (index, detail) in stored.markers {
            text += String(decoding: stored.bytes[start..<index], as: UTF8.self)
            start = index
            text += detail.boot.map { "[\($0.event.name)]" } ?? ""
            text += detail.origin.map { "[\($0)]" } ?? ""
            text += detail.gap == nil ? "" : "[gap]"
        }
        return text + String(decoding: stored.bytes[start...], as: UTF8.self)
    }

    @Test("a console is stored as it came, over rotations and restarts, each byte once")
    func bytes() throws {
        let a = file("a")
        append("one\r\n\u{1b}[1mtwo\u{1b}[0m\nlog", to: a)
        var service = try begin(source(a))
        #expect(try eventually { try stored().hasSuffix("log") })
        append("in: ", to: a)
        rotate(a)
        append("root\n", to: a)
        #expect(try eventually { try stored().hasSuffix("root\n") })
        service.stop()
        append("while away\n", to: a)
        rotate(a)
        append("after", to: a)
        try fixture.restart()
        service = try begin(source(a))
        #expect(try eventually { try stored().hasSuffix("after") })
        service.stop()
        #expect(
            try stored()
                == "[power-on][pod-a]one\r\n\u{1b}[1mtwo\u{1b}[0m\nlogin: root\nwhile away\nafter"
        )
    }

    @Test("a reboot is marked before the kernel's first line; a live migration's target begins no boot")
    func boots() throws {
        let a = file("a")
        append("[    0.000000] Linux version 6.1.0\n[    1.000000] reboot: Restarting system\n", to: a)
        let service = try begin(source(a))
        #expect(try eventually { try stored().contains("Restarting") })
        append("[    0.000000] Linux version 6.1.0\n", to: a)
        let target = file("b", beginsBoot: false)
        append("there\n", to: target)
        service.setFiles([source(a, target)])
        #expect(try eventually { try stored().hasSuffix("[pod-b]there\n") })
        service.stop()
        let text = try stored()
        #expect(text.ranges(of: "Linux version").count == 2)
        #expect(text.contains(#/Restarting system\n(\[restart\])?\[(kernel|reset|start)[^\]]*\]\[    0/#), "\(text)")
        #expect(!text.contains("[power-on][pod-b]"))
    }

    @Test("the files of a VM's pods are read one after another; one that is gone is read to its end first")
    func successors() throws {
        let (a, b, c) = (file("a"), file("b"), file("c"))
        append("first\n", to: a)
        var service = try begin(source(a))
        #expect(try eventually { try stored().hasSuffix("first\n") })
        // The pod is deleted with its folder, while its last words are not read yet.
        append("last words\n", to: a)
        unlink(a.path)
        rmdir(fixture.folder.path + "/a")
        append("second\n", to: b)
        service.setFiles([source(b)])
        #expect(try eventually { try stored().hasSuffix("second\n") })
        service.stop()
        append("third\n", to: c)
        try fixture.restart()
        service = try begin(source(b, c))
        #expect(try eventually { try stored().hasSuffix("third\n") })
        service.stop()
        // What was read is not read again, though its folder is still there.
        try fixture.restart()
        service = try begin(source(b, c))
        append("fourth\n", to: c)
        #expect(try eventually { try stored().hasSuffix("fourth\n") })
        service.stop()
        #expect(
            try stored()
                == "[power-on][pod-a]first\nlast words\n[power-on][pod-b]second\n[power-on][pod-c]third\nfourth\n"
        )
    }

    @Test("a pod that has gone unread is a gap; one that has no text yet is not begun twice")
    func unread() throws {
        let (a, b) = (file("a"), file("b"))
        append("first\n", to: a)
        var service = try begin(source(a))
        #expect(try eventually { try stored().hasSuffix("first\n") })
        service.stop()
        append("last words\n", to: a)
        unlink(a.path)
        append("", to: b)
        for _ in 0..<2 {
            try fixture.restart()
            service = try begin(source(b))
            #expect(try eventually { try stored().hasSuffix("[pod-b]") })
            service.stop()
        }
        append("second\n", to: b)
        try fixture.restart()
        service = try begin(source(b))
        #expect(try eventually { try stored().hasSuffix("second\n") })
        service.stop()
        #expect(try stored() == "[power-on][pod-a]first\n[gap][power-on][pod-b]second\n")
    }

    @Test("a pod that was read to its end before it went leaves no gap, over a restart either")
    func finished() throws {
        let (a, b, c) = (file("a"), file("b"), file("c"))
        let mark = SourceMark("end of console", store: store.root, on: LinuxFileSystem())
        append("first\n", to: a)
        var service = try begin(source(a))
        #expect(try eventually { try stored().hasSuffix("first\n") })
        unlink(a.path)
        service.setFiles([])
        #expect(try eventually { try mark.read() != nil })
        append("second\n", to: b)
        service.setFiles([source(b)])
        #expect(try eventually { try stored().hasSuffix("second\n") })
        service.stop()
        // It is read on, without further text, before it goes. The mark of the file before is not kept.
        try fixture.restart()
        service = try begin(source(b))
        #expect(eventually { openFiles.contains(b.path) })
        #expect(try mark.read() == nil)
        unlink(b.path)
        service.setFiles([])
        #expect(try eventually { try mark.read() != nil })
        service.stop()
        append("third\n", to: c)
        try fixture.restart()
        service = try begin(source(c))
        #expect(try eventually { try stored().hasSuffix("third\n") })
        service.stop()
        #expect(try stored() == "[power-on][pod-a]first\n[power-on][pod-b]second\n[power-on][pod-c]third\n")
    }

    @Test("a console in many small files is read file by file: others have their turns between")
    func manyFiles() throws {
        let a = file("a")
        for number in 0..<50 {
            append("\(number) ", to: a)
            rename(a.path, "\(a.path).\(20_000_000 + number)")
        }
        let run = try ConsoleRun(
            source(a),
            into: fixture.capture,
            buffer: FollowBuffer(),
            interruption: try Interruption()
        )
        try run.begin()
        var turns = 1
        while try run.step() == .more {
            turns += 1
        }
        run.close()
        #expect(turns > 50)
        #expect(try eventually { try stored() == "[power-on][pod-a]" + (0..<50).map { "\($0) " }.joined() })
    }

    @Test("a VM without a name has its log under its UID, and goes on there when it gets one")
    func renamed() throws {
        let uid = "0d6bd5d3-2f55-4b1e-8d3d-2a3a3c1b9c11"
        let a = file("a")
        let unnamed = VMIdentity(name: uid, uuid: uid)
        let named = VMIdentity(name: "web", uuid: uid, namespace: "simone")
        append("one\n", to: a)
        let service = try begin(source(a, vm: unnamed))
        #expect(try eventually { try stored(unnamed).hasSuffix("one\n") })
        service.setFiles([source(a, vm: named)])
        #expect(eventually { store.vm(in: uid)?.identity == named })
        append("two\n", to: a)
        #expect(try eventually { try stored(named) == "[power-on][pod-a]one\ntwo\n" })
        service.stop()
    }

    @Test("a link that a pod has made leads nowhere")
    func link() throws {
        let secret = fixture.folder.path + "/secret"
        _ = try fixture.write("secret\n", "secret")
        var a = file("a")
        let folder = DirectoryHandle.split(a.path).directory
        a.trustedFolder = folder
        mkdir(folder, 0o755)
        symlink(secret, a.path)
        var inner = file("b")
        inner.trustedFolder = fixture.folder.path
        symlink(folder, fixture.folder.path + "/b")
        let service = try begin(source(a), source(inner, vm: VMIdentity(name: "other")))
        #expect(eventually { fixture.capture.problems.all.contains { $0.subject.contains("web/") } })
        service.stop()
        #expect(try !stored().contains("secret"))
        #expect(try !stored(VMIdentity(name: "other")).contains("secret"))
    }

    // MARK: - Many consoles

    @Test("few of many silent consoles are open; the next text opens a closed one, and each byte is stored once")
    func openLimit() throws {
        let vms = (0..<12).map { VMIdentity(name: "vm\($0)") }
        let service = try SourceService([], Pipeline(), fixture.capture, followsFiles: true, openLimit: 4)
        defer { service.stop() }
        service.setFiles(
            vms.map { vm in
                var definition = source(file(vm.name), vm: vm)
                definition.name = vm.name
                return definition
            }
        )
        for round in 1...3 {
            for vm in vms {
                append("\(round)\n", to: file(vm.name))
                #expect(try eventually { try stored(vm).hasSuffix("\(round)\n") })
            }
        }
        #expect(eventually { openFiles.count <= 4 })
        for vm in vms {
            #expect(try stored(vm) == "[power-on][pod-\(vm.name)]1\n2\n3\n")
        }
    }

    @Test("a console that was closed at its end leaves no gap when its pod goes", arguments: [false, true])
    func closedAtEnd(isReplaced: Bool) throws {
        let (a, b) = (file("a"), file("b"))
        let mark = SourceMark("end of console", store: store.root, on: LinuxFileSystem())
        let service = try SourceService([], Pipeline(), fixture.capture, followsFiles: true, openLimit: 0)
        append("first\n", to: a)
        service.setFiles([source(a)])
        #expect(try eventually { try stored().hasSuffix("first\n") })
        #expect(eventually { openFiles.isEmpty })
        unlink(a.path)
        if !isReplaced {
            service.setFiles([])
            #expect(try eventually { try mark.read() != nil })
        }
        append("second\n", to: b)
        service.setFiles([source(b)])
        #expect(try eventually { try stored().hasSuffix("second\n") })
        service.stop()
        #expect(try stored() == "[power-on][pod-a]first\n[power-on][pod-b]second\n")
    }

    @Test("of a console without a file nothing is stored")
    func nothingToRead() throws {
        let (a, b) = (file("a"), file("b"))
        append("text\n", to: b)
        var other = source(b, vm: VMIdentity(name: "other"))
        other.name = "other"
        let service = try begin(source(a), other)
        #expect(try eventually { try stored(VMIdentity(name: "other")).hasSuffix("text\n") })
        #expect(store.vm(in: vm.directoryName) == nil)
        append("late\n", to: a)
        #expect(try eventually { try stored().hasSuffix("late\n") })
        service.stop()
    }

    /// The consoles' files in the folder of the test that are open.
    private var openFiles: [String] {
        ((try? LinuxFileSystem().names(in: "/proc/self/fd")) ?? []).compactMap { name in
            var path = [UInt8](repeating: 0, count: 4096)
            let count = readlink("/proc/self/fd/" + name, &path, path.count)
            let text = String(decoding: path[..<max(0, count)], as: UTF8.self)
            return text.hasPrefix(fixture.folder.path + "/") && text.hasSuffix("/log") ? text : nil
        }
    }
}
