// SPDX-License-Identifier: Apache-2.0

import CBytes
import CLinux
import Glibc
import LogModel
import SystemIO

/// The descriptors that a keeper stores for its daemon, each under a name, as in systemd's descriptor store: one open
/// file is stored once, however often it is sent.
///
/// While no daemon drains them they are drained here: their bytes are read, counted, and discarded, so that no guest
/// waits. A pipe is not read before it is half full.
final class KeptDescriptors {
    private(set) var descriptors: [(name: String, descriptor: Int32)] = []
    /// The length of all names, each with a separator.
    private var namesLength = 0
    /// What was discarded since a daemon last took over, by name.
    private var discarded: [String: DiscardedOutput] = [:]
    private let discardedPath: String
    private let clock = SystemClock()
    /// The epoll instance that is readable while a stored descriptor is; -1 while they are not drained here.
    private(set) var readyDescriptor: Int32 = -1
    /// Stored descriptors have numbers from here on: those below are for the child, which gets them from 3 on.
    private let firstNumber: Int32

    private static let readSize = 64 << 10
    /// Maximum number of descriptors served before the keeper returns to its loop.
    private static let eventsAtOnce = 64

    /// An empty store that records discarded bytes in the file at `discardedPath`. Raises the process's limit of open
    /// files as far as possible.
    init(discardedPath: String) {
        self.discardedPath = discardedPath
        let limit = DescriptorLimit.raise()
        // As many above as the child has below.
        firstNumber = Int32(clamping: limit / 2)
    }

    /// Maximum number of descriptors.
    var capacity: Int { Int(firstNumber) - 16 }

    /// The maximum length of all names, each with a separator, in bytes: with more no child could be started.
    static let namesLimit = PassedDescriptors.variableLimit - PassedDescriptors.namesVariable.utf8.count - 1

    /// Stores `descriptor` under `name`, unless the same open file is stored already: that gets the name. Throws when
    /// the store is full.
    func keep(_ name: String, _ descriptor: consuming Descriptor) throws(SystemError) {
        let raw = descriptor.raw
        let index = descriptors.firstIndex { gl_same_file($0.descriptor, raw) }
        guard index != nil || descriptors.count < capacity else {
            throw SystemError(
                "keep",
                name,
                code: EMFILE,
                reason: "the maximum of \(capacity) stored descriptors is reached; raise the limit of open files"
            )
        }
        let length = namesLength + name.utf8.count + 1 - (index.map { descriptors[$0].name.utf8.count + 1 } ?? 0)
        guard length <= Self.namesLimit else {
            throw SystemError(
                "keep",
                name,
                code: E2BIG,
                reason: "the environment variable with the names of the \(descriptors.count) stored descriptors is full"
            )
        }
        if let index {
            descriptors[index].name = name
        } else {
            let first = Int(firstNumber)
            let number = try systemCall("dup", name) { gl_fcntl(raw, F_DUPFD_CLOEXEC, first) }
            descriptors.append((name, number))
            watch(number)
        }
        namesLength = length
    }

    /// Closes the descriptors stored under `name`.
    func remove(_ name: String) {
        for (_, descriptor) in descriptors
        where descriptors.contains(where: { $0.name == name && $0.descriptor == descriptor }) {
            close(descriptor)
        }
        descriptors.removeAll { $0.name == name }
        namesLength = descriptors.reduce(0) { $0 + $1.name.utf8.count + 1 }
        discarded[name] = nil
    }

    // MARK: - Draining

    /// Begins to drain. Throws when there is no descriptor left to wait for the others with.
    func beginDraining() throws(SystemError) {
        guard readyDescriptor < 0 else {
            return
        }
        readyDescriptor = try systemCall("epoll_create") { gl_epoll() }
        descriptors.forEach { watch($0.descriptor) }
    }

    private func watch(_ descriptor: Int32) {
        guard readyDescriptor >= 0 else {
            return
        }
        // Edge-triggered: a pipe that is left unread must not be reported until more is written to it.
        let events = EPOLLIN.rawValue | (gl_pipe_size(descriptor) > 0 ? EPOLLET.rawValue : 0)
        var event = epoll_event(events: events, data: epoll_data_t(fd: descriptor))
        _ = epoll_ctl(readyDescriptor, EPOLL_CTL_ADD, descriptor, &event)
    }

    /// Reads and discards what is available.
    func drain() {
        guard readyDescriptor >= 0 else {
            return
        }
        var events = [epoll_event](repeating: epoll_event(), count: Self.eventsAtOnce)
        let count = epoll_wait(readyDescriptor, &events, Int32(events.count), 0)
        for event in events.prefix(max(0, Int(count))) {
            drain(event.data.fd)
        }
    }

    private func drain(_ descriptor: Int32) {
        let pipeSize = gl_pipe_size(descriptor)
        guard pipeSize < 0 || gl_bytes_waiting(descriptor) >= pipeSize / 2 else {
            return
        }
        withUnsafeTemporaryAllocation(byteCount: Self.readSize, alignment: 16) { buffer in
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            guard count > 0, let name = descriptors.first(where: { $0.descriptor == descriptor })?.name else {
                if count == 0 || (errno != EAGAIN && errno != EINTR) {
                    // The other side has closed: the daemon will see that too.
                    _ = epoll_ctl(readyDescriptor, EPOLL_CTL_DEL, descriptor, nil)
                }
                return
            }
            let before = discarded[name] ?? DiscardedOutput(bytes: 0, lines: 0, since: clock.wallMicroseconds())
            discarded[name] = DiscardedOutput(
                bytes: before.bytes + count,
                lines: before.lines + gl_count_byte(buffer.baseAddress, count, Lines.feed),
                since: before.since
            )
        }
    }

    /// Stops draining, because the daemon drains from now on. What was discarded is written to the file for the daemon.
    func endDraining() throws(SystemError) {
        if readyDescriptor >= 0 {
            close(readyDescriptor)
        }
        readyDescriptor = -1
        guard !discarded.isEmpty else {
            return
        }
        // A daemon that died before it read the file has left it.
        for (name, earlier) in DiscardedOutput.table(at: discardedPath) {
            let more = discarded[name] ?? DiscardedOutput(bytes: 0, lines: 0, since: earlier.since)
            discarded[name] = DiscardedOutput(
                bytes: more.bytes + earlier.bytes,
                lines: more.lines + earlier.lines,
                since: min(more.since, earlier.since)
            )
        }
        try DiscardedOutput.write(discarded, to: discardedPath)
        discarded.removeAll()
    }
}
