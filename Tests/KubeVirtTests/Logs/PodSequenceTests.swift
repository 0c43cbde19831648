// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("The logs of a VM's pods over a live migration", .blocking)
struct PodSequenceTests {
    private let source = Objects.launcher("a", created: "2026-08-01T10:00:00Z")
    private let target = Objects.launcher("b", created: "2026-08-01T11:00:00Z")

    private func line(_ text: String, _ time: Int64 = 0) -> PodLogLine {
        PodLogLine(time: Timestamp(microseconds: time), text: Array(text.utf8))
    }

    private func words(_ entries: [PodSequence.Entry]) -> [String] {
        entries.map { entry in
            switch entry {
            case .line(let line): String(decoding: line.text, as: UTF8.self)
            case .boundary(let pod, _): "-> \(pod.name)"
            }
        }
    }

    private func begun() -> PodSequence {
        var sequence = PodSequence()
        sequence.add(source)
        return sequence
    }

    @Test("the target's first lines wait for the source's last ones, and a boundary parts them")
    func migration() {
        var sequence = begun()
        #expect(words(sequence.receive(line("1"), from: "a", at: 0)) == ["1"])
        sequence.add(target)
        #expect(words(sequence.receive(line("3", 30), from: "b", at: 10)) == [])
        #expect(words(sequence.receive(line("2"), from: "a", at: 20)) == ["2"])
        #expect(sequence.end("a") == [.boundary(target, time: Timestamp(microseconds: 30)), .line(line("3", 30))])
        #expect(words(sequence.receive(line("4"), from: "b", at: 30)) == ["4"])
        #expect(sequence.deadline == nil)
    }

    @Test("a source that hangs holds the target's lines for two seconds only")
    func hangingSource() {
        var sequence = begun()
        _ = sequence.receive(line("1"), from: "a", at: 0)
        sequence.add(target)
        _ = sequence.receive(line("2"), from: "b", at: 100)
        #expect(sequence.deadline == 100 + PodSequence.holdLimit)
        #expect(sequence.expire(at: 99 + PodSequence.holdLimit).isEmpty)
        #expect(words(sequence.expire(at: 100 + PodSequence.holdLimit)) == ["-> b", "2"])
        #expect(words(sequence.receive(line("late"), from: "a", at: 0)) == ["-> a", "late"])
    }

    @Test("the next run of the VM begins with a boundary, after the last lines of the one before")
    func nextRun() {
        let next = Objects.launcher("b", instance: "another", created: "2026-08-01T11:00:00Z")
        var sequence = begun()
        sequence.add(next)
        #expect(words(sequence.receive(line("2"), from: "b", at: 10)) == [])
        #expect(words(sequence.receive(line("1"), from: "a", at: 20)) == ["1"])
        #expect(words(sequence.end("a")) == ["-> b", "2"])
        var silent = begun()
        _ = silent.end("a")
        silent.add(next)
        #expect(words(silent.receive(line("2"), from: "b", at: 10)) == ["-> b", "2"])
    }

    @Test("a migration that failed leaves no mark: its target has printed nothing")
    func failedMigration() {
        var sequence = begun()
        sequence.add(target)
        #expect(sequence.end("b").isEmpty)
        #expect(words(sequence.receive(line("1"), from: "a", at: 0)) == ["1"])
        let third = Objects.launcher("c", created: "2026-08-01T12:00:00Z")
        sequence.add(third)
        _ = sequence.receive(line("2"), from: "c", at: 0)
        #expect(words(sequence.end("a")) == ["-> c", "2"])
    }

    @Test("whole logs, one after the other, are joined in the order of the pods")
    func wholeLogs() {
        var sequence = begun()
        sequence.add(target)
        sequence.add(source)
        #expect(sequence.pods == [source, target])
        var entries = sequence.receive(line("1"), from: "a", at: 0) + sequence.end("a")
        entries += sequence.receive(line("2"), from: "b", at: 0) + sequence.end("b")
        #expect(words(entries) == ["1", "-> b", "2"])
    }

    @Test("a target that is found after the source has ended is not held")
    func lateTarget() {
        var sequence = begun()
        _ = sequence.receive(line("1"), from: "a", at: 0)
        #expect(sequence.end("a").isEmpty)
        sequence.add(target)
        #expect(words(sequence.receive(line("2"), from: "b", at: 0)) == ["-> b", "2"])
    }

    @Test("what is held is limited in bytes")
    func flood() {
        var sequence = begun()
        sequence.add(target)
        let long = String(repeating: "x", count: 1 << 20)
        var entries: [PodSequence.Entry] = []
        for _ in 0..<5 {
            entries += sequence.receive(line(long), from: "b", at: 0)
        }
        #expect(entries.count == 5)
    }

    @Test("a line of a pod that is not known is not an error")
    func unknown() {
        var sequence = begun()
        #expect(sequence.receive(line("x"), from: "z", at: 0).isEmpty && sequence.end("z").isEmpty)
    }
}

@Suite("The end of a response with a container's log", .blocking)
struct PodLogEndTests {
    @Test("while the container runs, an end means a rotation or a proxy: the log is resumed")
    func running() {
        let pod = Objects.launcher("a", log: .running)
        #expect(PodLogEnd(.ended, pod: pod, isRest: false) == .resume)
        #expect(PodLogEnd(.cut, pod: pod, isRest: false) == .resume)
        #expect(PodLogEnd(.refused(500, "x"), pod: pod, isRest: false) == .resume)
        #expect(PodLogEnd(.refused(400, "x"), pod: Objects.launcher("a", log: .waiting), isRest: false) == .resume)
    }

    @Test("after the container's end the rest is read once more")
    func ended() {
        let pod = Objects.launcher("a", log: .ended)
        #expect(PodLogEnd(.ended, pod: pod, isRest: false) == .readRest)
        #expect(PodLogEnd(.ended, pod: pod, isRest: true) == .stop)
        #expect(PodLogEnd(.cut, pod: pod, isRest: true) == .readRest)
    }

    @Test("a pod that is gone ends its log; a refusal is final, and said")
    func gone() {
        #expect(PodLogEnd(.ended, pod: nil, isRest: false) == .stop)
        #expect(PodLogEnd(.refused(404, "x"), pod: nil, isRest: false) == .stop)
        #expect(PodLogEnd(.refused(403, "no"), pod: nil, isRest: false) == .fail("no"))
    }
}
