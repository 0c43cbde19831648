// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Query

@Suite("Following", .blocking)
struct FollowTests {
    private func query(
        _ sample: SampleStore,
        _ format: OutputFormat = .text,
        _ change: (inout Selection) -> Void = { _ in }
    ) throws -> LogQuery {
        try sample.query(Rendering(format: format)) {
            $0.follow = true
            change(&$0)
        }
    }

    /// Everything new.
    private func all(_ query: LogQuery) throws -> String {
        query.note(.anything)
        return try query.text()
    }

    @Test("a boot that another has followed is not followed; VMs without the boot are named")
    func pastBoot() throws {
        let sample = try SampleStore()
        for vm in 0..<2 {
            try sample.add("web\(vm)")
            try sample.boot(.powerOn, vm: vm)
            try sample.append("first\n", vm: vm, after: 1000)
        }
        try sample.boot(.powerOn)
        try sample.append("second\n", after: 1000)
        let past = try query(sample, .raw) { $0.boot = -1 }
        #expect(try past.text() == "first\n")
        #expect(past.isFinished)
        #expect(past.explanation()?.contains("web1") ?? false)
        let present = try query(sample) { $0.boot = 0 }
        #expect(try !present.text().isEmpty && !present.isFinished)
    }

    @Test("an earlier boot of no VM is not followed")
    func pastBootOfNone() throws {
        let sample = try SampleStore()
        var selection = Selection()
        selection.boot = -1
        selection.follow = true
        let past = try LogQuery(
            store: sample.store,
            vms: [],
            areAll: true,
            selection: selection,
            rendering: Rendering(),
            now: sample.now
        )
        #expect(try past.next() == nil && past.isFinished)
    }

    @Test("lines that are appended during reading are returned once, over rolls, seals and syncs")
    func interleaved() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let sample = try SampleStore()
        try sample.add("a")
        let streams = ["console0", "kernel"]
        let query = try query(sample, .raw)
        var printed: [String: String] = [:]
        var heard = ""
        for number in 0..<1500 {
            let stream = streams.randomElement(using: &generator)!
            let line = "\(stream.first!)\(number)\n"
            printed[stream, default: ""] += line
            // Lines are torn: later appends to this stream complete them.
            try sample.append(line, stream, after: 1000)
            switch Int.random(in: 0..<10, using: &generator) {
            case 0: try sample.roll(stream)
            case 1: try sample.seal(stream)
            case 2: try sample.synchronize()
            case 3...5: heard += try all(query)
            default: break
            }
        }
        heard += try all(query)
        for stream in streams {
            let own = heard.split(separator: "\n").filter { $0.first == stream.first }
            let wanted = printed[stream]?.split(separator: "\n") ?? []
            let difference = zip(own, wanted).enumerated().first { $1.0 != $1.1 }
            #expect(
                own == wanted,
                "seed \(seed), \(own.count) of \(wanted.count), first at \(String(describing: difference))"
            )
        }
        #expect(Set(query.streams.map(\.stream.text)) == Set(streams))
        #expect(!query.isFinished)
    }

    @Test("a torn line is returned when its end was received")
    func tornLine() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\ntw")
        let query = try query(sample)
        #expect(try all(query) == "one\n")
        try sample.append("o\nthree\n")
        #expect(try all(query) == "two\nthree\n")
    }

    @Test("a line that is shown before its end counts once, and may be the last of --head")
    func headBeforeEnd() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("web login: ")
        let one = try query(sample) {
            $0.head = 1
            $0.pattern = try? Pattern("login: ", ignoreCase: false)
        }
        #expect(try one.next() == nil && !one.isFinished)
        #expect(one.flushUnfinished(silentSince: .distantFuture) == Array("web login: \n".utf8))
        #expect(one.isFinished)
        let two = try query(sample) { $0.head = 2 }
        #expect(try two.next() == nil)
        #expect(two.flushUnfinished(silentSince: .distantFuture) == Array("web login: ".utf8))
        try sample.append("ro")
        #expect(try all(two).isEmpty)
        #expect(two.flushUnfinished(silentSince: .distantFuture) == Array("ro".utf8))
        try sample.append("ot\n")
        #expect(try all(two) == "ot\n" && !two.isFinished)
        try sample.append("last\nmore\n")
        #expect(try all(two) == "last\n" && two.isFinished)
    }

    @Test("a kernel's line behind a prompt that was shown early is a line of its own, with its own time")
    func alarmBehindPrompt() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("web login: ")
        let query = try query(sample)
        #expect(try query.next() == nil)
        let early = query.flushUnfinished(silentSince: .distantFuture)
        #expect(early.map { String(decoding: $0, as: UTF8.self) } == "web login: ")
        try sample.append("[   99.000000] BUG: kernel NULL pointer dereference\n", after: 5_000_000)
        #expect(try all(query) == "\n[   99.000000] BUG: kernel NULL pointer dereference\n")
    }

    @Test(
        "what changes a row that was shown early is shown on a line of its own, as the row is then",
        arguments: [
            (["10%\r", "20%\r", "100%\r", "\ndone\n"], "10%\n20%\n100%\ndone\n"),
            (["load |", "\u{8}/", "\u{8}done\r\n"], "load |\nload /\nload done\n"),
            (["# ", "l", "x", "\u{8}\u{1b}[K", "s", "\r\n"], "# lx\n# ls\n"),
            (["login: [   12.3", "45678] x\r\n"], "login: [   12.3\n[   12.345678] x\n"),
            (["web login: ", "\u{1b}c\u{1b}[2JSeaBIOS (version 1)\r\n"], "web login: \nSeaBIOS (version 1)\n"),
            (["web login: ", "\u{1b}[H\u{1b}[JDebian 12\r\n"], "web login: \nDebian 12\n"),
            (["\u{1b}[5;1Hin 5s.", "\u{1b}[5;1Hin 4s.", "\r\n"], "in 5s.\nin 4s.\n"),
            (["one\r", "\r", "\ntwo\n"], "one\ntwo\n"),
            (["Waiting", ".", ".", " ok\r\n"], "Waiting.. ok\n"),
            (["# ls /et", "c/ \u{7}", "\r\n"], "# ls /etc/ \n"),
            (["ok \u{1b}[1mbo", "ld\u{1b}[0m end\r\n"], "ok bold end\n"),
        ] as [([String], String)]
    )
    func repainted(_ pieces: [String], _ wanted: String) throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("first\n")
        let query = try query(sample)
        #expect(try all(query) == "first\n")
        var shown = ""
        for piece in pieces {
            try sample.append(piece)
            shown += try all(query)
            shown += String(decoding: query.flushUnfinished(silentSince: .distantFuture) ?? [], as: UTF8.self)
        }
        #expect(shown == wanted)
    }

    @Test("an unfinished line may be shown early, and is not repeated")
    func partial() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\nlogin: ")
        let query = try query(sample)
        #expect(try all(query) == "one\n")
        let early = query.flushUnfinished(silentSince: .distantFuture)
        #expect(early.map { String(decoding: $0, as: UTF8.self) } == "login: ")
        #expect(query.flushUnfinished(silentSince: .distantFuture) == nil)
        try sample.append("ro\u{e4}".prefix(2) + "")
        #expect(query.flushUnfinished(silentSince: .distantFuture) == nil, "nothing has been read yet")
        #expect(try all(query) == "")
        #expect(query.flushUnfinished(silentSince: .distantFuture).map { String(decoding: $0, as: UTF8.self) } == "ro")
        try sample.append("ot\r\nPassword: \r\n")
        #expect(try all(query) == "ot\nPassword: \n")
    }

    @Test("an escape sequence of which half has come is shown early as nothing, and applied when the rest comes")
    func halfSequence() throws {
        for (first, rest, early) in [
            ("p\u{1b}[3", "1mred\u{1b}[0m tail\n", "p"), ("p\u{1b}", "[31mred tail\n", "p"),
            ("p\u{1b}]0;title\u{1b}", "\\red tail\n", "p"), ("\u{1b}]0;ti", "tle\u{7}pred tail\n", nil),
            ("pred\u{1b}[31m", " tail\n", "pred"),
        ] {
            let sample = try SampleStore()
            try sample.add("a")
            try sample.append(first)
            let query = try query(sample)
            #expect(try all(query).isEmpty)
            let shown = query.flushUnfinished(silentSince: .distantFuture).map { String(decoding: $0, as: UTF8.self) }
            #expect(shown == early, "\(first.debugDescription)")
            #expect(query.flushUnfinished(silentSince: .distantFuture) == nil)
            try sample.append(rest)
            #expect(try (shown ?? "") + all(query) == "pred tail\n", "\(first.debugDescription)")
        }
    }

    @Test("an unfinished line ends where the console is closed")
    func closedInMidLine() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("login: ")
        let query = try query(sample)
        #expect(try all(query) == "")
        try sample.boot(.closed)
        #expect(try all(query) == "login: \n-- boot ended: closed --\n")
    }

    @Test("the last lines first, then new ones")
    func tail() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\ntwo\nthree\n")
        let query = try query(sample) { $0.tail = 1 }
        #expect(try all(query) == "three\n")
        try sample.append("four\n")
        #expect(try all(query) == "four\n")
        let none = try self.query(sample) { $0.tail = 0 }
        #expect(try all(none) == "")
        try sample.append("five\n")
        #expect(try all(none) == "five\n")
    }

    @Test("following ends after the requested lines, or when the requested time has expired")
    func ends() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\n")
        let head = try query(sample) { $0.head = 2 }
        #expect(try all(head) == "one\n")
        #expect(!head.isFinished)
        let until = try query(sample) { $0.until = sample.now.advanced(byMicroseconds: 1_000_000) }
        #expect(try all(until) == "one\n")
        #expect(!until.isFinished)
        try sample.append("two\n", after: 900_000)
        try sample.append("three\n", after: 200_000)
        #expect(try all(head) == "two\n")
        #expect(head.isFinished)
        #expect(try all(until) == "two\n")
        #expect(until.isFinished)
        let past = try query(sample) { $0.until = sample.now.advanced(byMicroseconds: -100_000) }
        #expect(try all(past) == "one\ntwo\n")
        #expect(past.isFinished)
    }

    @Test("a stream that appears later is followed too, and then lines have prefixes")
    func newStream() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\n")
        let query = try query(sample)
        #expect(try all(query) == "one\n")
        try sample.append("two\n", "kernel")
        #expect(try all(query) == "[a/kernel] two\n")
        #expect(query.streams.count == 2)
    }

    @Test("a requested stream that does not exist yet is followed from its beginning when it appears")
    func awaitedStream() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("one\n")
        let query = try query(sample) {
            $0.streams = [StreamName("kernel")!]
            $0.tail = 0
        }
        #expect(try all(query) == "")
        #expect(Set(query.takeNewFolders()) == ["", "a"])
        // The folder is created first, its metadata later.
        let folder = sample.store.folder(of: sample.id("kernel"))
        try sample.store.fileSystem.makeDirectory(folder)
        #expect(try all(query) == "")
        #expect(query.takeNewFolders() == ["a/kernel"])
        try sample.append("two\n", "kernel")
        #expect(try all(query) == "two\n")
    }

    @Test("a follower of all VMs continues when one is removed, and with new ones")
    func comingAndGoing() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.add("b")
        try sample.append("one\n", vm: 0)
        try sample.append("two\n", vm: 1)
        var selection = Selection()
        selection.follow = true
        let query = try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            areAll: true,
            selection: selection,
            rendering: Rendering(),
            now: sample.now
        )
        #expect(try all(query) == "[a/console0] one\n[b/console0] two\n")
        #expect(Set(query.takeNewFolders()) == ["", "a", "a/console0", "b", "b/console0"])
        sample.remove(vm: 0)
        try sample.append("three\n", vm: 1)
        #expect(try all(query) == "[b/console0] three\n")
        #expect(query.takeNewFolders() == [])
        try sample.add("c")
        #expect(try all(query) == "")
        try sample.append("four\n", vm: 2)
        #expect(try all(query) == "[c/console0] four\n")
    }

    @Test("a follower of a pattern waits for VMs that match, and continues with new ones")
    func pattern() throws {
        let sample = try SampleStore()
        var request = LogRequest()
        request.vms = ["w*"]
        #expect(throws: QueryError.self) { try request.open(sample.store, now: sample.now) }
        request.selection.follow = true
        let query = try request.open(sample.store, now: sample.now)
        #expect(try all(query) == "")
        try sample.add("w0")
        try sample.add("other")
        try sample.append("one\n", vm: 0)
        try sample.append("two\n", vm: 1)
        #expect(try all(query) == "one\n")
        try sample.add("w1")
        try sample.append("three\n", vm: 2)
        #expect(try all(query) == "[w1/console0] three\n")
        #expect(!query.isFinished)
        // It resumes although the VMs of its cursor may be gone, and continues with new ones.
        request.selection.cursor = query.cursor
        sample.remove(vm: 0)
        sample.remove(vm: 2)
        let resumed = try request.open(sample.store, now: sample.now)
        #expect(try all(resumed) == "")
        try sample.add("w2")
        try sample.append("four\n", vm: 3)
        #expect(try all(resumed) == "four\n")
    }

    @Test("a boot's end is shown once, however many events report it")
    func endsOnce() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.boot(.powerOn)
        try sample.append("bye\n")
        let query = try query(sample)
        try sample.boot(.powerDown)
        #expect(try all(query) == "-- boot 1: power-on --\nbye\n-- boot 1 ended: power-down --\n")
        try sample.boot(.closed)
        try sample.boot(.powerOn)
        #expect(try all(query) == "-- boot 2: power-on --\n")
    }

    @Test("following until a moment ends after it, whether or not there is output")
    func endsInSilence() async throws {
        let sample = try SampleStore()
        try sample.add("a")
        sample.now = Timestamp(microseconds: SystemClock().wallMicroseconds())
        try sample.append("one\n")
        let query = try query(sample) { $0.until = sample.now.advanced(byMicroseconds: 100_000) }
        var heard: [UInt8] = []
        let following = Following(FolderObserver(sample.store) { Issue.record("\($0)") })
        #expect(try await following.answer(query) { heard += $0 })
        #expect(heard == Array("one\n".utf8))
    }

    @Test("a wait begins before the VM exists; without one it reports that at its end")
    func awaitedVM() async throws {
        let sample = try SampleStore()
        try sample.add("web")
        try sample.append("hello\n")
        let store = sample.store
        func wait(_ vm: String) throws -> PatternWait {
            PatternWait(store: store, vm: vm, stream: nil, pattern: try Pattern("hello"), since: nil)
        }
        let early = try wait("new")
        let match = Task.detached {
            let observer = FolderObserver(store) { Issue.record("\($0)") }
            return try await Following(observer).match(early, within: 600_000_000)
        }
        try sample.add("new")
        try sample.append("hello from new\n", vm: 1)
        #expect(try await match.value?.text == "hello from new")

        let following = Following(FolderObserver(store) { Issue.record("\($0)") })
        let error = await #expect(throws: QueryError.self) {
            try await following.match(try wait("wbe"), within: 1000)
        }
        #expect(error?.message.contains("did you mean web?") == true)
        #expect(try await following.match(try wait("web"), within: 0)?.text == "hello")
    }
}
