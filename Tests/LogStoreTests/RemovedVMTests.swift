// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// A VM that comes back after its log was removed.
@Suite(.blocking) struct RemovedVMTests {
    private let folder = TemporaryFolder()
    private let clock = ManualClock()
    private var store: Store { Store(root: folder.path) }

    private func open(_ uuid: String?, hostBoot: String = ProcFile.bootID) throws -> VMStore {
        try VMStore(store: store, name: "web", uuid: uuid, hostBoot: hostBoot, now: clock.time)
    }

    private func append(_ text: String, to vm: VMStore) throws {
        clock.advance(1000)
        let writer = try vm.open(.console0, now: clock.time)
        try Array(text.utf8).withUnsafeBytes { try writer.append($0, time: clock.time) }
    }

    /// Removes the VMs that were deleted.
    private func removeDeleted() throws {
        clock.advance(1_000_000)
        _ = try Retention(store: store, deletedAge: 1000).enforceAll(now: clock.time)
    }

    private func read(_ stream: StreamID, from cursor: Cursor = .start) throws -> Reading {
        try Reading(StreamBatches(store.reader(of: stream), from: cursor))
    }

    @Test(
        "a VM that comes back after its log was removed uses none of its positions again",
        arguments: [nil, "6a1f0000-0000-4000-8000-00000000abcd"]
    )
    func comesBack(uuid: String?) throws {
        var ends: [Cursor] = []
        for round in 0..<3 {
            do {
                let vm = try open(uuid)
                let stream = StreamID(vm: vm.vm.directory, stream: .console0)
                try append("\(round) begins\n", to: vm)
                let reading = try read(stream)
                #expect(reading.text == "\(round) begins\n" && reading.missing.isEmpty)
                #expect(reading.gaps.map(\.reason) == (round == 0 ? [] : [.retention]))
                #expect(reading.runs.first?.lowerBound == UInt64(round) * StoreLimits.restartStride)
                for end in ends {
                    #expect(try read(stream, from: end).text == "\(round) begins\n")
                }
                ends.append(try store.reader(of: stream).end())
                try vm.closeCleanly()
            }
            let directory: String
            do {
                let again = try open(uuid)
                directory = again.vm.directory
                let stream = StreamID(vm: directory, stream: .console0)
                try append("on it goes\n", to: again)
                #expect(try read(stream).text == "\(round) begins\non it goes\n")
                #expect(try read(stream).gaps.count == (round == 0 ? 0 : 1))
                #expect(try StoreCheck(store).check(again.vm).isDamaged == false)
                #expect(try store.vms().count == 1)
                try again.end(at: clock.time)
            }
            try removeDeleted()
            #expect(try store.vms().isEmpty && store.fileSystem.status(store.path(of: directory)) == nil)
        }
    }

    @Test("an open VM whose folder was removed is renamed in a new folder")
    func renamedAfterRemoval() throws {
        let vm = try open("6a1f0000-0000-4000-8000-00000000abcd")
        try append("old\n", to: vm)
        let aside = TemporaryFolder()
        try store.fileSystem.rename(store.path(of: vm.vm.directory), to: aside.path + "/web")
        try vm.rename(to: VMIdentity(name: "db", uuid: vm.vm.identity.uuid), now: clock.time)
        try append("new\n", to: vm)
        #expect(try store.vms().map(\.identity.name) == ["db"])
        let stream = StreamID(vm: vm.vm.directory, stream: .console0)
        #expect(try read(stream).text == "new\n")
    }

    @Test("of many VMs of one name the latest is continued, or the next is begun")
    func instances() throws {
        for number in 0..<3 {
            let vm = try open(nil)
            #expect(vm.vm.identity.instance == number)
            try append("words\n", to: vm)
            try vm.end(at: clock.time)
        }
        try removeTree(store.path(of: "web~1"))
        #expect(try open(nil).vm.identity.instance == 3)
        #expect(try open(nil).vm.identity.instance == 3)
    }

    private func removeTree(_ path: String) throws {
        _ = try ChildProgram.run(["rm", "-r", path])
    }

    @Test("the first VM of a name was removed, the second one was deleted: the third one has a folder of its own")
    func name() throws {
        for text in ["first\n", "second\n"] {
            let vm = try open(nil)
            try append(text, to: vm)
            try vm.end(at: clock.time)
            if text == "first\n" {
                clock.advance(2_000_000)
            }
        }
        _ = try Retention(store: store, deletedAge: 1_000_000).enforceAll(now: clock.time)
        #expect(try store.vms().map(\.directory) == ["web~1"])
        let vm = try open(nil)
        #expect(vm.vm.directory == "web~2")
        try append("third\n", to: vm)
        #expect(try open(nil).vm.directory == "web~2")
    }

    @Test("what is known of removed VMs is limited, in time and in number, and a damaged file is not used")
    func limits() throws {
        func stride(_ directory: String) -> UInt64 { RemovedVMs(in: store).stride(of: directory) }
        var removed = RemovedVMs(in: store)
        removed.note("a", stride: 7, at: clock.time)
        removed.note("a", stride: 5, at: clock.time)
        removed.prune(at: clock.time)
        try removed.write(to: store)
        #expect(stride("a") == 7 && stride("b") == 0)
        #expect(try store.vms().isEmpty)
        clock.advance(RemovedVMs.age + 1)
        for number in 0...RemovedVMs.limit {
            removed.note("b\(number)", stride: 1, at: clock.time)
            clock.advance(1)
        }
        removed.prune(at: clock.time)
        try removed.write(to: store)
        #expect(stride("a") == 0 && stride("b0") == 0 && stride("b1") == 1 && stride("b\(RemovedVMs.limit)") == 1)
        let long = String(repeating: "n", count: 190)
        for number in 1...RemovedVMs.limit {
            removed.note("\(long)\(number)", stride: 2, at: clock.time)
        }
        removed.prune(at: clock.time)
        try removed.write(to: store)
        #expect(stride("\(long)1") == 2)
        try store.fileSystem.replace(RemovedVMs.name, in: folder.path, with: Array("{}\n".utf8))
        #expect(stride("\(long)1") == 0)
    }

    @Test("where the streams of a removed VM ended is remembered")
    func ends() throws {
        do {
            let vm = try open(nil)
            try append("some text\n", to: vm)
            try vm.end(at: clock.time)
        }
        #expect(store.removedStreams().isEmpty)
        try removeDeleted()
        let found = try #require(store.removedStreams().first)
        #expect(store.removedStreams().count == 1 && found.id == StreamID(vm: "web", stream: .console0))
        #expect(found.end == 10 && found.removed == clock.time)
        #expect(found.bytes(after: 0) == 10 && found.bytes(after: 4) == 6 && found.bytes(after: 11) == 0)
        do {
            let vm = try open(nil)
            try append("more\n", to: vm)
            try vm.end(at: clock.time)
        }
        try removeDeleted()
        let later = try #require(store.removedStreams().first)
        #expect(later.end == StoreLimits.restartStride + 5 && later.bytes(after: 4) == nil)
        #expect(later.bytes(after: StoreLimits.restartStride) == 5)
    }

    @Test("the ends of a VM's streams are remembered until the VM that comes after it is removed")
    func lives() throws {
        let kernel = StreamName("kernel")!
        for streams in [[StreamName.console0, kernel], [.console0]] {
            do {
                let vm = try open(nil)
                for stream in streams {
                    clock.advance(1000)
                    let writer = try vm.open(stream, now: clock.time)
                    try Array("text\n".utf8).withUnsafeBytes { try writer.append($0, time: clock.time) }
                }
                try vm.end(at: clock.time)
            }
            try removeDeleted()
            #expect(Set(store.removedStreams().map(\.id.stream)) == Set(streams))
        }
        // The removal of one VM may take more than one attempt.
        let created = clock.time
        var removed = RemovedVMs(in: store)
        for ends in [[kernel: 9], [:]] as [[StreamName: UInt64]] {
            clock.advance(1000)
            removed.note("web", stride: 3, ends: ends, created: created, at: clock.time)
            #expect(removed.streams.map(\.id.stream) == [kernel] && removed.streams.map(\.end) == [9])
        }
    }

    @Test("after a crash of the host too a VM that came back uses no position twice")
    func hostCrash() throws {
        do {
            let vm = try open(nil)
            try append("old\n", to: vm)
            try vm.end(at: clock.time)
        }
        try removeDeleted()
        do { try append("new\n", to: try open(nil, hostBoot: "boot-1")) }
        let stream = StreamID(vm: "web", stream: .console0)
        // The host went down before anything of the new stream was on disk.
        for name in try store.fileSystem.names(in: store.path(of: stream)) {
            try store.fileSystem.remove(store.path(of: stream) + "/" + name)
        }
        try append("newer\n", to: try open(nil, hostBoot: "boot-2"))
        let reading = try read(stream)
        #expect(reading.text == "newer\n" && reading.runs.first?.lowerBound == 2 * StoreLimits.restartStride)
        #expect(reading.gaps.map(\.reason) == [.hostRestart])
    }
}
