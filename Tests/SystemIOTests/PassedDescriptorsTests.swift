// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO
import TestTraits
import Testing

/// The descriptors that one image passes to the next, in one process here: `take` reads what `pass` has left.
@Suite(.blocking, .serialized) struct PassedDescriptorsTests {
    @Test("descriptors keep their numbers, so that no thread's own is overwritten, and are returned once, by name")
    func keepNumbers() throws {
        var pipe: [Int32] = [0, 0]
        try #require(gl_pipe(&pipe, O_CLOEXEC) == 0)
        try PassedDescriptors.pass([("read=end", pipe[0]), ("write", pipe[1])])
        #expect(gl_fcntl(pipe[0], F_GETFD, 0) & FD_CLOEXEC == 0)
        var taken: [String: Int32] = [:]
        PassedDescriptors.take { taken[$0] = $1.release() }
        #expect(taken == ["read=end": pipe[0], "write": pipe[1]])
        #expect(gl_fcntl(pipe[0], F_GETFD, 0) & FD_CLOEXEC != 0)
        PassedDescriptors.take { name, _ in Issue.record("\(name) was returned twice") }
        pipe.forEach { close($0) }
    }

    @Test("more names are passed on than a variable of the environment can have")
    func many() throws {
        DescriptorLimit.raise()
        let padding = String(repeating: "n", count: 200)
        var passed: [(name: String, descriptor: Int32)] = []
        for number in 0..<800 {
            passed.append((padding + String(number), Glibc.open("/dev/null", O_RDONLY | O_CLOEXEC)))
        }
        try #require(passed.allSatisfy { $0.descriptor >= 0 })
        #expect(passed.reduce(0) { $0 + $1.name.utf8.count } > PassedDescriptors.variableLimit)
        try PassedDescriptors.pass(passed)
        // The next image is not started here: a child would hold what other tests have locked.
        let variable = try #require(getenv("GUESTLOG_PASSED").map { String(cString: $0) })
        #expect("GUESTLOG_PASSED=".utf8.count + variable.utf8.count < PassedDescriptors.variableLimit)
        let list = try #require(Int32(variable.split(separator: ":")[1]))
        #expect(gl_fcntl(list, F_GETFD, 0) == 0, "the list would be closed by exec")
        var taken: [String: Int32] = [:]
        PassedDescriptors.take { taken[$0] = $1.release() }
        #expect(taken == Dictionary(uniqueKeysWithValues: passed))
        passed.forEach { close($0.descriptor) }
    }

    @Test("the list of an earlier version, in the variable itself, is taken")
    func earlierForm() throws {
        let pair = try Descriptor.socketPair()
        let (one, other) = (try pair.first.duplicate().release(), try pair.second.duplicate().release())
        setenv("GUESTLOG_PASSED", "\(getpid()):\(one)=console-a:\(other)=b", 1)
        var taken: [String: Int32] = [:]
        PassedDescriptors.take { taken[$0] = $1.release() }
        #expect(taken == ["console-a": one, "b": other])
        taken.values.forEach { close($0) }
    }

    @Test("descriptors for another process, and closed ones, are not taken")
    func notOurs() {
        setenv("GUESTLOG_PASSED", "1:0=a", 1)
        PassedDescriptors.take { name, _ in Issue.record("\(name) belongs to another process") }
        setenv("GUESTLOG_PASSED", "\(getpid()):1000000", 1)
        PassedDescriptors.take { name, _ in Issue.record("\(name) is in no list") }
        setenv("GUESTLOG_PASSED", "\(getpid()):1000000=a:x=b:=:==:", 1)
        PassedDescriptors.take { name, _ in Issue.record("\(name) is not a descriptor") }
        #expect(getenv("GUESTLOG_PASSED") == nil)
    }
}
