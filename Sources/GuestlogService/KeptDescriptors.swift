import CLinux
import Glibc
import LogModel
import SystemIO

/// The descriptors that a keeper keeps for its daemon, each under a name, as systemd's descriptor store does: one open file
/// is kept once, however often it is sent.
///
/// While no daemon drains them they are drained here: what comes is read, counted, and thrown away, so that no guest waits.
/// Of a pipe it is known how much it holds: nothing is taken from it before it is half full.
final class KeptDescriptors {
    private(set) var descriptors: [(name: String, descriptor: Int32)] = []
    /// What was thrown away since a daemon last took it over, by name.
    private var discarded: [String: DiscardedOutput] = [:]
    private let discardedPath: String
    private let clock = SystemClock()
    /// The epoll instance that is readable while a kept descriptor is; -1: they are not drained here.
    private(set) var readyDescriptor: Int32 = -1
    /// Numbers from here on are the kept ones': those below are for the child, which gets them from 3 on.
    private let firstNumber: Int32

    private static let readSize = 64 << 10
    /// Descriptors served before the keeper looks at what else there is to do.
    private static let eventsAtOnce = 64

    /// A store that holds nothing; what it throws away is told in the file at `discardedPath`. Raises the process's limit of
    /// open files as far as it goes.
    init(discardedPath: String) {
        self.discardedPath = discardedPath
        let limit = DescriptorLimit.raise()
        // As many above as the child has below.
        firstNumber = Int32(clamping: limit / 2)
    }

    /// Most that can be descriptors.
    var capacity: Int { Int(firstNumber) - 16 }

    /// Keeps `descriptor` under `name`, unless the same open file is kept already. Throws when there is no room.
    func keep(_ name: String, _ descriptor: consuming Descriptor) throws(SystemError) {
        let raw = descriptor.raw
        if let place = descriptors.firstIndex(where: { gl_same_file($0.descriptor, raw) }) {
            descriptors[place].name = name
            return
        }
        guard descriptors.count < capacity else {
            throw SystemError("keep \(name) (\(capacity) are kept; raise the limit of open files)", code: EMFILE)
        }
        let first = Int(firstNumber)
        let number = try systemCall("dup", name) { gl_fcntl(raw, F_DUPFD_CLOEXEC, first) }
        descriptors.append((name, number))
        watch(number)
    }

    /// Lets go of what is kept under `name`.
    func remove(_ name: String) {
        for (_, descriptor) in descriptors
        where descriptors.contains(where: { $0.name == name && $0.descriptor == descriptor }) {
            close(descriptor)
        }
        descriptors.removeAll { $0.name == name }
        discarded[name] = nil
    }

    // MARK: - Draining

    /// Begins to drain.
    func beginDraining() {
        guard readyDescriptor < 0 else {
            return
        }
        readyDescriptor = gl_epoll()
        descriptors.forEach { watch($0.descriptor) }
    }

    private func watch(_ descriptor: Int32) {
        guard readyDescriptor >= 0 else {
            return
        }
        // A pipe that may stay as it is must not be reported until more is written to it.
        let events = EPOLLIN.rawValue | (gl_pipe_size(descriptor) > 0 ? EPOLLET.rawValue : 0)
        var event = epoll_event(events: events, data: epoll_data_t(fd: descriptor))
        _ = epoll_ctl(readyDescriptor, EPOLL_CTL_ADD, descriptor, &event)
    }

    /// Reads what there is.
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
                    // The other side is gone: the daemon will see that too.
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

    /// Drains no more: from now on the daemon does. What was thrown away is told in the file, for it to tell of.
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
