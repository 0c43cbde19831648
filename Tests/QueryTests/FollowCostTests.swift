// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import Synchronization
import SystemIO
import TestTraits
import Testing
import TextFormats

@testable import Query

/// The host's file system, with its reading calls counted, and its open files.
private final class CountingFileSystem: FileSystem {
    private let real = LinuxFileSystem()
    private let calls = Atomic<Int>(0)
    private let opened = Atomic<Int>(0)
    private let most = Atomic<Int>(0)

    var callCount: Int { calls.load(ordering: .relaxed) }
    /// The largest number of files open at one time.
    var mostOpen: Int { most.load(ordering: .relaxed) }

    private func count() {
        calls.wrappingAdd(1, ordering: .relaxed)
    }

    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> FileID {
        count()
        let file = try real.open(path, mode)
        most.max(opened.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
        return file
    }

    func close(_ file: FileID) {
        count()
        opened.wrappingSubtract(1, ordering: .relaxed)
        real.close(file)
    }

    func read(_ file: FileID, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        count()
        return try real.read(file, at: offset, into: buffer)
    }

    func size(_ file: FileID) throws(SystemError) -> Int {
        count()
        return try real.size(file)
    }

    func names(in directory: String) throws(SystemError) -> [String] {
        count()
        return try real.names(in: directory)
    }

    func status(_ path: String) -> FileAttributes? {
        count()
        return real.status(path)
    }

    func write(_ file: FileID, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        try real.write(file, at: offset, bytes)
    }

    func truncate(_ file: FileID, to size: Int) throws(SystemError) { try real.truncate(file, to: size) }
    func synchronize(_ file: FileID) throws(SystemError) { try real.synchronize(file) }
    func synchronizeAll(_ file: FileID) throws(SystemError) { try real.synchronizeAll(file) }
    func synchronizeDirectory(_ path: String) throws(SystemError) { try real.synchronizeDirectory(path) }
    func setModified(_ path: String, _ time: Int64) throws(SystemError) { try real.setModified(path, time) }
    func tryLock(_ file: FileID, isShared: Bool) -> Bool { real.tryLock(file, isShared: isShared) }
    func tryLock(_ file: FileID, number: Int64, isShared: Bool) -> Bool {
        real.tryLock(file, number: number, isShared: isShared)
    }
    func unlock(_ file: FileID, number: Int64) { real.unlock(file, number: number) }
    func unlock(_ file: FileID) { real.unlock(file) }
    func isLocked(_ file: FileID, number: Int64) -> Bool { real.isLocked(file, number: number) }
    func isLocked(_ file: FileID) -> Bool { real.isLocked(file) }
    func allocate(_ file: FileID, _ size: Int) throws(SystemError) { try real.allocate(file, size) }
    func space(at path: String) -> FileSystemSpace? { real.space(at: path) }
    func makeDirectory(_ path: String) throws(SystemError) { try real.makeDirectory(path) }
    func rename(_ path: String, to target: String) throws(SystemError) { try real.rename(path, to: target) }
    func remove(_ path: String) throws(SystemError) { try real.remove(path) }
    func removeDirectory(_ path: String) throws(SystemError) { try real.removeDirectory(path) }
}

@Suite("Cost of following", .blocking)
struct FollowCostTests {
    /// The calls of the file system for 100 commits to one stream, of which a follower of `count` VMs learns.
    private func calls(following count: Int) throws -> (calls: Int, mostOpen: Int, cursor: Int) {
        let sample = try SampleStore()
        for number in 0..<count {
            try sample.add("vm\(number)")
            try sample.append("hello\n", vm: number)
        }
        let files = CountingFileSystem()
        let query = try sample.query(through: files, areAll: true) { $0.follow = true }
        _ = try query.text()
        _ = query.takeMovedCursor()
        let before = files.callCount
        var cursor = 0
        for number in 0..<100 {
            try sample.append("line \(number)\n", after: 1000)
            query.note(.streams([sample.id()]))
            #expect(try query.next() == Array("line \(number)\n".utf8))
            #expect(try query.next() == nil)
            cursor = max(cursor, query.takeMovedCursor().utf8.count)
        }
        return (files.callCount - before, files.mostOpen, cursor)
    }

    @Test("a commit costs a follower of 300 VMs the calls that it costs a follower of that VM alone")
    func speakingOnly() throws {
        let (alone, among) = try (calls(following: 1), calls(following: 300))
        // The stream's files are opened again once.
        #expect(among.calls - alone.calls < 10, "\(among.calls) and \(alone.calls)")
        #expect(alone.cursor == among.cursor, "what a client needs to resume grows with the number of streams")
    }

    @Test("the number of files that a follower has open does not grow with the number of streams")
    func openFiles() throws {
        let open = try calls(following: 300).mostOpen
        #expect(open <= 2 * 64 + 8)
    }

    @Test("a cursor that was sent in parts resumes where the whole one does")
    func cursorInParts() throws {
        let sample = try SampleStore()
        for number in 0..<3 {
            try sample.add("vm\(number)")
            try sample.append("hello\n", vm: number)
        }
        let first = try sample.query { $0.follow = true }
        var cursor = try QueryCursor(first.cursor)
        while try first.next() != nil {
            cursor.merge(try QueryCursor(first.takeMovedCursor()))
        }
        #expect(cursor.text == first.cursor)
        try sample.append("more\n", vm: 1, after: 1000)
        first.note(.streams([sample.id(vm: 1)]))
        #expect(try first.next() != nil)
        cursor.merge(try QueryCursor(first.takeMovedCursor()))
        #expect(cursor.text == first.cursor)
        let resumed = try sample.query {
            $0.follow = true
            $0.cursor = cursor.text
        }
        #expect(try resumed.next() == nil)
    }

    @Test("changes of streams that are not selected cost nothing")
    func unselected() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("hello\n")
        let files = CountingFileSystem()
        let query = try sample.query(through: files) {
            $0.follow = true
            $0.streams = [.console0]
        }
        _ = try query.text()
        try sample.append("not selected\n", "kernel")
        let before = files.callCount
        query.note(.streams([sample.id("kernel")]))
        #expect(try query.next() == nil)
        #expect(files.callCount == before)
    }

    @Test("a stream whose folder was seen before it was complete is followed when it is")
    func incomplete() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("hello\n")
        let files = LinuxFileSystem()
        try files.makeDirectory(sample.store.root + "/a/kernel")
        let query = try sample.query { $0.follow = true }
        _ = try query.text()
        query.note(.streams([sample.id("kernel")]))
        #expect(try query.next() == nil)
        try sample.append("complete\n", "kernel")
        query.note(.streams([sample.id("kernel")]))
        #expect(try query.next() == Array("complete\n".utf8))
    }
}
