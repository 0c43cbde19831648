// SPDX-License-Identifier: Apache-2.0

import Libvirt
import LogModel
import NIOConcurrencyHelpers
import NIOPosix
import TestSupport
import TestTraits
import Testing

@testable import HTTPAPI

/// What a client of the OpenStack part can take from others.
@Suite(.limited) struct NovaLimitTests {
    @Test("beyond their number the client with the most addresses loses its oldest, and no other client one")
    func manyAddresses() {
        let tokens = ConsoleTokens()
        let now = Timestamp(microseconds: 0)
        func issue(_ client: String, life: Int64 = 1) -> String {
            let caller = Caller(name: client, access: .all, token: client)
            let expires = now.advanced(byMicroseconds: life)
            return tokens.issue(ConsoleToken(vm: "web", caller: caller, expires: expires), at: now)
        }
        let single = issue("b")
        let first = issue("a")
        let second = issue("a")
        for _ in 3..<ConsoleTokens.limit {
            _ = issue("a")
        }
        #expect(tokens.token(for: first, at: now) != nil)
        _ = issue("a")
        #expect(tokens.token(for: first, at: now) == nil)
        let other = issue("c")
        #expect(tokens.token(for: second, at: now) == nil)
        #expect(tokens.token(for: single, at: now) != nil && tokens.token(for: other, at: now) != nil)
        #expect(tokens.token(for: single, at: now.advanced(byMicroseconds: 1)) == nil)
    }

    @Test("names that a pattern is slow to match do not occupy the threads of all requests")
    func costlyNames() async throws {
        let domains = (0..<250).map { number in
            var facts = DomainFacts(name: "vm-\(number)", uuid: nil)
            facts.title = String(repeating: "a", count: 200) + "!"
            return Domain(facts: facts, isRunning: true)
        }
        let fixture = try ServerFixture(domains: domains)
        let context = fixture.server.context
        let target = RequestTarget(["v2.1", "servers"], ["name": ["(a+)+$"]])
        let call = try NovaCall(Call.of(Caller(nil), target: target, in: context))
        let executor = TimedExecutor()
        let answer = try await withTaskExecutorPreference(executor) {
            try await NovaAPI(context: context, options: NovaOptions()).list(call, isDetailed: false)
        }
        #expect(answer["servers"]?.elements?.isEmpty == true)
        // Matching them takes several times as long.
        #expect(executor.time < 100, "\(executor.time) ms")
    }
}

/// Runs a task's jobs, and counts the processor time that they take, in milliseconds.
private final class TimedExecutor: TaskExecutor {
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private let total = NIOLockedValueBox(0)

    init() {
        thread.start()
    }

    deinit {
        thread.shutdownGracefully { _ in }
    }

    var time: Int { total.withLockedValue { $0 } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        thread.submit { _ in
            let time = processorTime { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
            self.total.withLockedValue { $0 += Int(time * 1000) }
        }
    }
}
