// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

private final class Recorder: EventHandler {
    var body: (Readiness) -> Void = { _ in }
    func handle(_ readiness: Readiness) { body(readiness) }
}

/// A clock that the test advances.
private final class Clock: HostClock {
    private let time = Atomic<Int64>(0)

    func wallMicroseconds() -> Int64 { monotonicMicroseconds() }
    func monotonicMicroseconds() -> Int64 { time.load(ordering: .relaxed) }
    func advance(_ microseconds: Int64) { time.add(microseconds, ordering: .relaxed) }
}

@Suite(.blocking) struct EventLoopTests {
    @Test("a job posted from another thread runs on the loop's, and perform returns its result")
    func posts() throws {
        let loop = try EventLoop()
        let thread = try WorkerThread(name: "loop") { loop.run() }
        #expect(loop.perform { loop.isCurrent })
        #expect(!loop.isCurrent)
        loop.stop()
        thread.join()
    }

    @Test("timers fire in order of their times, and a cancelled one does not")
    func timers() throws {
        let clock = Clock()
        let loop = try EventLoop(clock: clock)
        var fired: [Int] = []
        loop.schedule(afterMicroseconds: 3000) {
            fired.append(3)
            loop.stop()
        }
        loop.schedule(afterMicroseconds: 1000) { fired.append(1) }
        let cancelled = loop.schedule(afterMicroseconds: 2000) { fired.append(2) }
        loop.cancel(cancelled)
        clock.advance(4000)
        loop.run()
        #expect(fired == [1, 3])
    }

    @Test("a turn ends after its timers, and not with the next event")
    func turnEnd() throws {
        let loop = try EventLoop()
        let pair = try Descriptor.socketPair()
        var turns = 0
        var turnsBefore: (timer: Int, event: Int) = (0, 0)
        let recorder = Recorder()
        recorder.body = { _ in
            turnsBefore.event = turns
            loop.stop()
        }
        _ = try loop.add(pair.first.raw, for: .readable, recorder)
        loop.afterTurn = { turns += 1 }
        let other = pair.second.raw
        loop.schedule(afterMicroseconds: 1000) {
            turnsBefore.timer = turns
            write(other, "x", 1)
        }
        loop.run()
        #expect(turnsBefore.event > turnsBefore.timer)
    }

    @Test("a handler that is removed by another in the same turn is not called")
    func removalWithinATurn() throws {
        let loop = try EventLoop()
        let first = try Descriptor.socketPair()
        let second = try Descriptor.socketPair()
        var tokens: [EventLoop.Token] = []
        var reported: [Int] = []
        let recorders = [Recorder(), Recorder()]
        for (index, recorder) in recorders.enumerated() {
            recorder.body = { _ in
                reported.append(index)
                loop.remove(tokens[0])
                loop.remove(tokens[1])
                loop.stop()
            }
        }
        tokens.append(try loop.add(first.first.raw, for: .readable, recorders[0]))
        tokens.append(try loop.add(second.first.raw, for: .readable, recorders[1]))
        write(first.second.raw, "x", 1)
        write(second.second.raw, "x", 1)
        loop.run()
        #expect(reported.count == 1)
    }

    @Test("a listening socket replaces a dead one, never a live one, and paths may be longer than sun_path")
    func sockets() throws {
        let folder = TemporaryFolder()
        mkdir(folder.path + "/" + String(repeating: "x", count: 120), 0o700)
        let long = folder.path + "/" + String(repeating: "x", count: 120) + "/console.sock"
        do {
            let living = try UnixSocket.listen(at: long)
            let refused = #expect(throws: SystemError.self) { _ = try UnixSocket.listen(at: long) }
            #expect(refused?.code == EADDRINUSE)
            _ = try UnixSocket.connect(to: long)
            #expect(try UnixSocket.accept(living.raw) != nil)
        }
        // Another test's child may have the closed socket for a moment, until it runs its program.
        #expect(eventually { (try? UnixSocket.listen(at: long).release()).map { close($0) } == 0 })
        let file = folder.path + "/file"
        close(open(file, O_CREAT | O_WRONLY, 0o600))
        let wrong = #expect(throws: SystemError.self) { _ = try UnixSocket.listen(at: file) }
        #expect(wrong?.code == EEXIST)
    }
}
