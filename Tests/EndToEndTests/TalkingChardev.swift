// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import SystemIO
import TestSupport

/// A VMM's console socket in this process, like QEMU's `socket,server=on,wait=off`: it serves one client at a time,
/// waits for a client that does not read, and drops output without a client.
///
/// A thread of its own writes numbered lines (`NumberedLines`) at a rate, and records what the kernel accepted.
final class TalkingChardev: @unchecked Sendable {
    // Sendable because what the thread writes is read under the lock.

    /// What was written so far.
    struct Record: Sendable {
        /// The numbers of the lines that the kernel accepted whole, in order.
        var lines: [Int] = []
        /// Bytes that the kernel accepted.
        var bytes = 0
        /// The number of accepted bytes at the end of each connection.
        var ends: [Int] = []
        /// The longest wait of a write, in microseconds.
        var longestWrite: Int64 = 0
    }

    let path: String
    private let listener: Descriptor
    private let record = Mutex(Record())
    private let rate: Atomic<Int>
    /// The rate at which the thread writes; it takes `rate` over between two lines.
    private let pace: Atomic<Int>
    private let hasClient = Atomic<Bool>(false)
    private let isStopping = Atomic<Bool>(false)
    private var thread: WorkerThread?

    /// The minimum sleep between two writes, and the wait for a client that does not read before the thread checks
    /// whether to stop.
    private static let shortestPause: UInt32 = 1000
    private static let stopInterval: Int32 = 50

    /// Listens at `path`, and begins to write `rate` lines per second.
    init(_ path: String, rate: Int) throws {
        self.path = path
        self.rate = Atomic(rate)
        pace = Atomic(rate)
        listener = try UnixSocket.listen(at: path)
        let talk = Talk(self)
        thread = try WorkerThread(name: "chardev") { talk.chardev.talk() }
    }

    /// Passes the chardev to its thread.
    private struct Talk: @unchecked Sendable {
        // Sendable because the chardev joins the thread before it goes.
        unowned let chardev: TalkingChardev
        init(_ chardev: TalkingChardev) { self.chardev = chardev }
    }

    deinit {
        stopTalking()
        if client >= 0 {
            close(client)
        }
    }

    var soFar: Record { record.withLock { $0 } }
    /// Bytes that the kernel accepted so far.
    var bytes: Int { record.withLock { $0.bytes } }
    /// Whether a client is connected, as of the last write.
    var isConnected: Bool { hasClient.load(ordering: .acquiring) }

    /// Writes that many lines per second from now on; 0: none.
    func setRate(_ lines: Int) {
        rate.store(lines, ordering: .relaxed)
    }

    /// Ends the thread after the current line; the client stays connected. Returns what was written.
    @discardableResult
    func stopTalking() -> Record {
        isStopping.store(true, ordering: .relaxed)
        thread?.join()
        thread = nil
        return soFar
    }

    /// Whether the client has read everything written. False while the thread still writes at another rate than the one
    /// that was set last.
    var isDrained: Bool {
        guard thread == nil || pace.load(ordering: .acquiring) == rate.load(ordering: .acquiring) else {
            return false
        }
        var unread: Int32 = 0
        return client < 0 || (ioctl(client, UInt(TIOCOUTQ), &unread) == 0 && unread == 0)
    }

    // MARK: - On the thread

    private var client: Int32 = -1

    private func talk() {
        var number = 0
        var start = Self.now()
        var since = 0
        while !isStopping.load(ordering: .relaxed) {
            let wanted = rate.load(ordering: .relaxed)
            if wanted != pace.load(ordering: .relaxed) {
                pace.store(wanted, ordering: .releasing)
                (start, since) = (Self.now(), number)
            }
            takeClient()
            let due = since + Int(Self.now() - start) * wanted / 1_000_000
            while number < due, !isStopping.load(ordering: .relaxed), rate.load(ordering: .relaxed) == wanted {
                // After a wait the lines are delayed, not written all at once.
                start += write(line: number)
                number += 1
            }
            WorkerThread.pause(microseconds: max(Self.shortestPause, wanted > 0 ? UInt32(1_000_000 / wanted) : 10_000))
        }
    }

    private func takeClient() {
        if client < 0, let next = try? UnixSocket.accept(listener.raw) {
            client = next.release()
            hasClient.store(true, ordering: .releasing)
        }
    }

    /// Writes a line if there is a client; returns how long that had to wait, in microseconds.
    private func write(line number: Int) -> Int64 {
        guard client >= 0 else {
            return 0
        }
        let line = NumberedLines.line(number)
        let before = Self.now()
        var done = 0
        while done < line.count {
            let sent = line[done...].withUnsafeBytes { bytes in
                send(client, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if sent > 0 {
                done += sent
            } else if errno == EAGAIN {
                var room = pollfd(fd: client, events: Int16(POLLOUT), revents: 0)
                _ = poll(&room, 1, Self.stopInterval)
                if isStopping.load(ordering: .relaxed) {
                    break
                }
            } else {
                hangUp()
                break
            }
        }
        let waited = Self.now() - before
        record.withLock { record in
            record.bytes += done
            record.longestWrite = max(record.longestWrite, waited)
            if done == line.count {
                record.lines.append(number)
            }
            if client < 0 {
                record.ends.append(record.bytes)
            }
        }
        return waited > 1000 ? waited : 0
    }

    private func hangUp() {
        close(client)
        client = -1
        hasClient.store(false, ordering: .releasing)
    }

    private static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }
}
