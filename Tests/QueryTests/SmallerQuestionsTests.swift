// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import Query

@Suite("Names, boots, reports, cursors and waiting", .blocking)
struct SmallerQuestionsTests {
    private func ask(_ sample: SampleStore, _ change: (inout Selection) -> Void) throws -> LogQuery {
        var selection = Selection()
        change(&selection)
        return try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            selection: selection,
            rendering: Rendering(),
            now: sample.now
        )
    }

    private func message(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("a VM is found by name, UUID, the beginning of one, or folder")
    func lookup() throws {
        let sample = try SampleStore()
        let uuid = "6f1c2b9e-0000-4000-8000-000000000001"
        let web = try sample.add("web", uuid: uuid)
        let other = try sample.add("db", uuid: "6f1cffff-0000-4000-8000-000000000002")
        let plain = try sample.add("my vm")
        for word in ["web", uuid, uuid.uppercased(), "6f1c2", uuid.filter { $0 != "-" }] {
            #expect(try VMLookup.resolve(word, in: sample.store, previousInstance: false) == web)
        }
        #expect(try VMLookup.resolve("my%20vm", in: sample.store, previousInstance: false) == plain)
        #expect(try VMLookup.resolve("db", in: sample.store, previousInstance: false) == other)
        func refusal(_ word: String) -> String {
            message { _ = try VMLookup.resolve(word, in: sample.store, previousInstance: false) }
        }
        #expect(refusal("wbe") == "no VM named wbe; did you mean web?")
        #expect(refusal("something else") == "no VM named something else; list the VMs with 'guestlog vms'")
        #expect(refusal("web/console0") == "no VM named web/console0; name a stream with -s: web -s console0")
        #expect(refusal("6f1c").hasPrefix("several UUIDs begin with 6f1c: db (6f1cffff-"))
        #expect(refusal("") == "no VM named ''; list the VMs with 'guestlog vms'")
        #expect(
            refusal("we*") == #"no VM named we*; name one VM, not a pattern; "guestlog vms 'we*'" lists them"#
        )
        #expect(refusal("6f1") == "no VM named 6f1; list the VMs with 'guestlog vms'")
        #expect(refusal("\u{1b}[2J") == "no VM named \u{fffd}[2J; list the VMs with 'guestlog vms'")
    }

    @Test("a mistyped VM of a namespace is suggested, though a VM has the namespace's name")
    func namespaceLikeVM() throws {
        let sample = try SampleStore()
        try sample.add("lab")
        try sample.add("web", namespace: "lab")
        func refusal(_ word: String) -> String {
            message { _ = try VMLookup.resolve(word, in: sample.store, previousInstance: false) }
        }
        #expect(refusal("lab/wbe") == "no VM named lab/wbe; did you mean lab/web?")
        #expect(refusal("lab/console0") == "no VM named lab/console0; name a stream with -s: lab -s console0")
    }

    @Test("canonically equivalent names are two VMs, each found by its own spelling")
    func equivalentNames() throws {
        let sample = try SampleStore()
        for name in ["caf\u{e9}", "cafe\u{301}"] {
            try sample.add(name)
        }
        for name in ["caf\u{e9}", "cafe\u{301}"] {
            let found = try VMLookup.resolve(name, in: sample.store, previousInstance: false)
            #expect(found.identity.name.utf8.elementsEqual(name.utf8))
            #expect(try VMLookup.resolveExactly(name, in: sample.store) == found)
        }
    }

    @Test("a reused name is the newer VM, and the older one is its previous instance")
    func instances() throws {
        let sample = try SampleStore()
        let old = try sample.add("web")
        try sample.vms[0].end(at: sample.now)
        sample.now = sample.now.advanced(byMicroseconds: 1_000_000)
        let new = try sample.add("web")
        #expect(try VMLookup.resolve("web", in: sample.store, previousInstance: false).identity == new.identity)
        #expect(try VMLookup.resolve("web", in: sample.store, previousInstance: true).identity == old.identity)
        #expect(
            message { _ = try VMLookup.resolve("web~1", in: sample.store, previousInstance: true) } == ""
        )
        try sample.add("db")
        #expect(
            message { _ = try VMLookup.resolve("db", in: sample.store, previousInstance: true) }
                == "there is no earlier VM named db"
        )
    }

    @Test("the same name in two namespaces is ambiguous")
    func namespaces() throws {
        let sample = try SampleStore()
        try sample.add("web", namespace: "blue")
        try sample.add("web", namespace: "green")
        let refusal = message { _ = try VMLookup.resolve("web", in: sample.store, previousInstance: false) }
        #expect(
            refusal
                == "web is ambiguous: blue/web (blue.web), green/web (green.web); use NAMESPACE/NAME, the UUID or the "
                + "folder"
        )
        let plain = try sample.add("db")
        let lab = try sample.add("db", namespace: "lab")
        #expect(try VMLookup.resolve("lab/db", in: sample.store, previousInstance: false) == lab)
        #expect(try VMLookup.resolveExactly("lab/db", in: sample.store) == lab)
        #expect(try VMLookup.resolve("lab.db", in: sample.store, previousInstance: false) == lab)
        #expect(message { _ = try VMLookup.resolve("db", in: sample.store, previousInstance: false) } != "")
        #expect(try VMLookup.resolve(["blue/*", "lab/d?"], in: sample.store, previousInstance: false).count == 2)
        #expect(try VMLookup.resolve(["d*", "db*"], in: sample.store, previousInstance: false) == [plain])
        let none = message { _ = try VMLookup.resolve(["x*"], in: sample.store, previousInstance: false) }
        #expect(none == "no VM matches x*; list the VMs with 'guestlog vms'")
    }

    @Test("a VM that is named like a pattern is found by its name")
    func patternsAsNames() throws {
        let sample = try SampleStore()
        let star = try sample.add("web*")
        try sample.add("web1")
        #expect(try VMLookup.resolve(["web*"], in: sample.store, previousInstance: false) == [star])
    }

    @Test("for an operation, one of several VMs with a name must be identified")
    func exactly() throws {
        let sample = try SampleStore()
        try sample.add("web", uuid: "6f1cffff-0000-4000-8000-000000000001")
        sample.now = sample.now.advanced(byMicroseconds: 1_000_000)
        let new = try sample.add("web", uuid: "6f1cffff-0000-4000-8000-000000000002")
        #expect(try VMLookup.resolve("web", in: sample.store, previousInstance: false) == new)
        let refusal = message { _ = try VMLookup.resolveExactly("web", in: sample.store) }
        #expect(refusal.hasPrefix("web is ambiguous: "))
        #expect(try VMLookup.resolveExactly(new.directory, in: sample.store) == new)
    }

    @Test("boots have their times and events of begin and end")
    func boots() throws {
        let sample = try SampleStore()
        let vm = try sample.add("a")
        try sample.boot(.powerOn)
        let first = sample.now
        try sample.append("first\n")
        try sample.boot(.panic)
        let panic = sample.now
        try sample.append("Kernel panic\n", after: 1_000_000)
        try sample.boot(.closed)
        try sample.roll()
        try sample.boot(.powerOn)
        try sample.append("second\n", after: 1_000_000)
        try sample.boot(.firmware)
        try sample.append("third\n", "kernel")
        try sample.append("third\n")
        let boots = try BootList.boots(of: vm, in: sample.store)
        #expect(boots.map(\.startEvent) == [.powerOn, .powerOn, .firmware])
        #expect(boots.map(\.endEvent) == [.panic, nil, nil])
        #expect(boots[0].start == first && boots[0].end == panic)
        #expect(boots[1].end == boots[2].start && boots[2].end == nil)
        #expect(boots.map(\.bytes) == [19, 7, 6])
        #expect(boots.map(\.number) == [1, 2, 3])
        let refusal = message { _ = try ask(sample) { $0.boot = -3 } }
        #expect(refusal == "a has no boot -3: 3 are stored, -2 to 0 or 1 to 3; see 'guestlog boots'")
        let report = VMReport(of: vm, in: sample.store)
        #expect(report.boots == 3 && report.textBytes == 38 && report.first == first && report.last == sample.now)
        #expect(report.streams.map(\.text) == ["console0", "kernel"])
    }

    @Test("what is lost is counted in lines where the bytes are not known")
    func lostLines() throws {
        let sample = try SampleStore()
        try sample.add("a")
        for (bytes, lines) in [(nil, 4636), (100, 7), (nil, 1)] as [(UInt64?, UInt64)] {
            try sample.append("words\n")
            let gap = GapDetail(reason: .agentOverflow, bytes: bytes, lines: lines, since: sample.now, isClosed: true)
            try sample.mark(RecordDetail(gap: gap))
        }
        let report = VMReport(of: try #require(sample.store.vms().first), in: sample.store)
        #expect(report.lostBytes == 100 && report.lostLines == 4637)
    }

    @Test("losses that a peer claims to be immense are counted without a trap")
    func immenseLosses() throws {
        let sample = try SampleStore()
        try sample.add("a")
        for _ in 0..<3 {
            try sample.append("words\n")
            let gap = GapDetail(reason: .sourceRemoved, bytes: .max, lines: .max, since: sample.now, isClosed: true)
            try sample.mark(RecordDetail(gap: gap))
        }
        let vm = try #require(sample.store.vms().first)
        #expect(VMReport(of: vm, in: sample.store).lostBytes == 3 * GapDetail.maximumCount)
    }

    @Test("boots without output have their own numbers in the log")
    func silentBoots() throws {
        let sample = try SampleStore()
        try sample.add("a")
        for text in ["one\n", "", "", "four\n"] {
            try sample.boot(.powerOn)
            if !text.isEmpty {
                try sample.append(text)
            }
            try sample.boot(.closed)
            try sample.roll()
        }
        let query = try ask(sample) { _ in }
        var out: [UInt8] = []
        while let more = try query.next() {
            out += more
        }
        let text = String(decoding: out, as: UTF8.self)
        let lines = text.split(separator: "\n").filter { $0.hasPrefix("-- boot") }
        let expected = (1...4).flatMap { ["-- boot \($0): power-on --", "-- boot \($0) ended: closed --"] }
        #expect(lines.map(String.init) == expected)
    }

    @Test("an empty result has an explanation")
    func explanations() throws {
        let sample = try SampleStore()
        try sample.add("a")
        func why(_ change: (inout Selection) -> Void) throws -> String? {
            let query = try ask(sample, change)
            while try query.next() != nil {}
            return query.explanation()
        }
        #expect(try why { _ in } == "the log of a is empty: the guest has printed nothing yet")
        let start = sample.now
        try sample.append("hello\n")
        #expect(try why { _ in } == nil)
        #expect(try why { $0.pattern = try? Pattern("bye") } == "no line matches 'bye'")
        #expect(try why { $0.severities = .emergency ... .error } == "no line is err or worse")
        #expect(try why { $0.severities = .alert ... .error } == "no line is from err to alert")
        #expect(try why { $0.tail = 0 } == "nothing was requested")
        let late = try why { $0.since = start.advanced(byMicroseconds: 3_600_000_000) }
        #expect(late?.hasPrefix("nothing since ") == true && late?.contains("; this log spans ") == true)
        let early = try why { $0.until = start.advanced(byMicroseconds: -3_600_000_000) }
        #expect(early?.hasPrefix("nothing until ") == true)
    }

    @Test("a cursor that is malformed, damaged, or of another VM is refused with a remedy")
    func cursors() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("hello\n")
        func refusal(_ cursor: String) -> String { message { _ = try ask(sample) { $0.cursor = cursor } } }
        #expect(refusal("4096").hasPrefix("'4096' is not a cursor; use one from an earlier result"))
        #expect(refusal("v2:x").hasPrefix("cursor 'v2:x' was made by a newer guestlog"))
        #expect(refusal("v1:a/console0=x").hasPrefix("cursor 'v1:a/console0=x' is damaged"))
        #expect(refusal("v1:b/console0=1.0").hasPrefix("the cursor belongs to another VM, in folder b"))
        #expect(refusal("v1:a/console0=1.0") == "")
        let query = try ask(sample) { _ in }
        while try query.next() != nil {}
        #expect(query.cursor == "v1:a/console0=6.0")
        #expect(
            message { _ = try ask(sample) { $0.streams = [StreamName("nope")!] } }
                == "a has no stream nope; the streams are console0"
        )
    }

    @Test("a cursor's word gives the same cursor", arguments: 0..<20)
    func cursorRoundTrip(_ number: Int) throws {
        var generator = SeededGenerator(seed: UInt64(number))
        var cursor = QueryCursor()
        for _ in 0..<number {
            let vm = ["a", "my%20vm", "long=1f", "ns.web~2", "6f1c2b9e-0000-4000-8000-000000000001"].randomElement(
                using: &generator
            )!
            let stream = StreamName(["console0", "kernel", "a-b_c"].randomElement(using: &generator)!)!
            cursor.positions[StreamID(vm: vm, stream: stream)] = Cursor(
                offset: generator.next(),
                markers: Int.random(in: 0...9, using: &generator)
            )
        }
        #expect(try QueryCursor(cursor.text) == cursor)
    }

    @Test("waiting finds a line that arrives in pieces, and a prompt without a line's end")
    func waiting() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append("login: from before\n")
        try sample.boot(.powerOn)
        let prompt = PatternWait(
            store: sample.store,
            vm: "a",
            stream: nil,
            pattern: try Pattern("login: $"),
            since: nil
        )
        let ready = PatternWait(
            store: sample.store,
            vm: "a",
            stream: .console0,
            pattern: try Pattern("is ready"),
            since: nil
        )
        #expect(try prompt.next() == nil)
        try sample.append("system is ")
        #expect(try ready.next() == nil)
        try sample.roll()
        try sample.append("rea")
        #expect(try ready.next() == nil)
        try sample.append("dy now\r\nlog")
        #expect(try ready.next()?.line == Array("system is ready now".utf8))
        #expect(try prompt.next() == nil)
        try sample.append("in: ", after: 5)
        let match = try prompt.next()
        #expect(match?.line == Array("login: ".utf8))
        #expect(match?.offset == 40)
    }

    @Test("a result reports where matching was given up, and does not claim that nothing matches")
    func abandoned() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append(String(repeating: "a", count: 5000) + "!\n")
        func explanation(_ pattern: Pattern) throws -> String? {
            let query = try ask(sample) { $0.pattern = pattern }
            while try query.next() != nil {}
            return query.explanation()
        }
        #expect(try explanation(Pattern("(a+)+$"))?.contains("but matching was given up on 1 line") == true)
        try sample.append("aaa\n")
        #expect(try explanation(Pattern("(a+)+$"))?.hasPrefix("matching was given up on 1 line") == true)
        #expect(try explanation(Pattern("a$")) == nil)
    }

    @Test("a bounded pattern that takes too long is given up for good, and the result ends with that error")
    func tooCostly() throws {
        let sample = try SampleStore()
        try sample.add("a")
        // Each of these takes milliseconds, and no match is given up: together they are far beyond the budget.
        let line = String(repeating: "a", count: 60) + "!\n"
        try sample.append(String(repeating: line, count: 3000))
        let bounded = try Pattern("(?:a?){14}(?:a?){14}[bc]", isBounded: true)
        let question = try ask(sample) { $0.pattern = bounded }
        let error = #expect(throws: QueryError.self) { while try question.next() != nil {} }
        #expect(error?.code == .tooCostly && error?.message.contains("takes too long") == true)
        #expect(bounded.isExhausted)
        // A pattern that is cheap for the length of the text is not given up, however long the text is.
        let cheap = try Pattern("a+[bc]?!", isBounded: true)
        let whole = try ask(sample) { $0.pattern = cheap }
        while try whole.next() != nil {}
        #expect(whole.matchedAny && !cheap.isExhausted)
    }

    @Test("an abandoned read ends before its next block or its next lines")
    func cancelled() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.append(String(repeating: "hay\n", count: 50_000))
        let turn = ReadTurn()
        let question = try LogQuery(
            store: sample.store,
            vms: sample.store.vms(),
            selection: Selection(),
            rendering: Rendering(),
            now: .distantFuture,
            turn: turn
        )
        #expect(try question.next() != nil)
        turn.cancel()
        #expect(throws: ReadTurn.Cancelled.self) { while try question.next() != nil {} }
        // Finding the last lines is one long read, which ends as well.
        var selection = Selection()
        selection.tail = 5
        selection.pattern = try Pattern("needle")
        #expect(throws: ReadTurn.Cancelled.self) {
            try LogQuery(
                store: sample.store,
                vms: sample.store.vms(),
                selection: selection,
                rendering: Rendering(),
                now: .distantFuture,
                turn: turn
            )
        }
    }

    @Test("a result read in many short turns is the same as one read at once")
    func turns() throws {
        let sample = try SampleStore()
        try sample.add("a")
        try sample.add("b")
        for round in 0..<40 {
            for vm in 0..<2 {
                try sample.append((0..<50).map { "\(vm) \(round) \($0)\n" }.joined(), vm: vm)
            }
        }
        func answer(_ turn: ReadTurn?) throws -> (bytes: [UInt8], turns: Int) {
            var selection = Selection()
            selection.pattern = try Pattern("[13579]$")
            let question = try LogQuery(
                store: sample.store,
                vms: sample.store.vms(),
                selection: selection,
                rendering: Rendering(),
                now: .distantFuture,
                turn: turn
            )
            var (bytes, turns): ([UInt8], Int) = ([], 0)
            while let more = try question.next() {
                bytes += more
                turns += 1
            }
            return (bytes, turns)
        }
        let whole = try answer(nil)
        let pieces = try answer(ReadTurn(microseconds: 0))
        #expect(whole.bytes == pieces.bytes && !whole.bytes.isEmpty)
        #expect(pieces.turns > 10 * whole.turns)
    }
}
