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
        PassedDescriptors.pass([("read=end", pipe[0]), ("write", pipe[1])])
        #expect(gl_fcntl(pipe[0], F_GETFD, 0) & FD_CLOEXEC == 0)
        var taken: [String: Int32] = [:]
        PassedDescriptors.take { taken[$0] = $1.release() }
        #expect(taken == ["read=end": pipe[0], "write": pipe[1]])
        #expect(gl_fcntl(pipe[0], F_GETFD, 0) & FD_CLOEXEC != 0)
        PassedDescriptors.take { name, _ in Issue.record("\(name) was returned twice") }
        pipe.forEach { close($0) }
    }

    @Test("descriptors for another process, and closed ones, are not taken")
    func notOurs() {
        setenv("GUESTLOG_PASSED", "1:0=a", 1)
        PassedDescriptors.take { name, _ in Issue.record("\(name) belongs to another process") }
        setenv("GUESTLOG_PASSED", "\(getpid()):1000000=a:x=b:=:==:", 1)
        PassedDescriptors.take { name, _ in Issue.record("\(name) is not a descriptor") }
        #expect(getenv("GUESTLOG_PASSED") == nil)
    }
}
