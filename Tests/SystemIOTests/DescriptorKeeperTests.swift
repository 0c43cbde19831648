// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

/// A daemon's requests to its keeper.
@Suite(.blocking) struct DescriptorKeeperTests {
    private let folder = TemporaryFolder()

    private var paths: DescriptorKeeper.Paths {
        DescriptorKeeper.Paths(lease: folder.path + "/lease", discarded: folder.path + "/discarded")
    }

    /// Answers the messages of one `takeOver`, as a keeper does; returns those without a descriptor.
    private func answer(_ socket: Int32) -> [String] {
        var messages: [String] = []
        var isAnswered = false
        while !isAnswered {
            var polled = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
            _ = poll(&polled, 1, -1)
            var text = [UInt8](repeating: 0, count: 4096)
            var number: Int32 = -1
            let count = gl_receive_descriptor(socket, &text, text.count, &number)
            guard count >= 0 else {
                continue
            }
            isAnswered = number >= 0
            if isAnswered {
                close(number)
            } else {
                messages.append(String(decoding: text.prefix(count), as: UTF8.self))
            }
        }
        return messages
    }

    @Test("the keeper's counts are cleared when they were recorded, not when they were read")
    func takesOver() throws {
        let address = folder.path + "/keeper.sock"
        let socket = try UnixSocket.datagrams(at: address)
        let raw = socket.raw
        let counts = ["c1": DiscardedOutput(bytes: 9, lines: 2, since: 7), "c2": .init(bytes: 1, lines: 0, since: 8)]
        try DiscardedOutput.write(counts, to: paths.discarded)
        let keeper = DescriptorKeeper(ServiceManager(address: address), paths)
        let answers = try WorkerThread(name: "keeper") { [self] in
            #expect(answer(raw) == [DescriptorKeeper.take])
        }
        var recorded: [String: DiscardedOutput] = [:]
        keeper.takeOver { table in
            recorded = table
            // A process that dies here leaves them to the next one.
            #expect(DiscardedOutput.table(at: paths.discarded) == counts)
        }
        answers.join()
        #expect(recorded == counts)
        #expect(DiscardedOutput.table(at: paths.discarded).isEmpty)
    }

    @Test("a keeper that does not answer has nothing to record")
    func noAnswer() throws {
        try DiscardedOutput.write(["c1": DiscardedOutput(bytes: 9, lines: 2, since: 7)], to: paths.discarded)
        let keeper = DescriptorKeeper(ServiceManager(address: folder.path + "/nobody"), paths)
        var tables: [[String: DiscardedOutput]] = []
        keeper.takeOver { tables.append($0) }
        #expect(tables == [[:]])
        #expect(DiscardedOutput.table(at: paths.discarded).count == 1)
    }
}
