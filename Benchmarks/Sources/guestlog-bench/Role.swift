// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// What this program can be at the other end of a row, in a process of its own, so that what it costs is not counted.
enum Role {
    static func play(_ arguments: ArraySlice<String>) throws {
        let words = Array(arguments)
        guard let name = words.first else {
            throw BenchError("which role?")
        }
        switch name {
        case "stream-sender":
            try StreamSender.play(bulk: words[1] == "bulk", total: Int(words[2]) ?? 0)
        case "guests":
            try Guests.play(count: Int(words[1]) ?? 0, folder: words[2], rate: Double(words[3]) ?? 0)
        case "victim":
            try Recovery.playVictim(folder: words[1])
        case "discard":
            try Console.playDiscard(words[1])
        case "burner":
            Console.playBurner(Double(words[1]) ?? 0)
        default:
            throw BenchError("no such role: \(name)")
        }
    }
}

extension Role {
    /// Reports to the parent at once.
    static func report(_ word: String) {
        let bytes = Array(word.utf8)
        _ = write(1, bytes, bytes.count)
    }
}

/// A number that two processes share: one writes it, the other reads it.
final class SharedCounter {
    let descriptor: Descriptor
    private let word: UnsafeMutablePointer<Int>

    /// A new one, at 0.
    convenience init() throws {
        let path = "/dev/shm/guestlog-bench-counter-\(getpid())"
        let file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0, ftruncate(file, 4096) == 0 else {
            throw SystemError("open", path)
        }
        unlink(path)
        try self.init(inherited: file)
    }

    /// The one that was passed as `raw`.
    init(inherited raw: Int32) throws {
        guard let mapping = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, raw, 0), mapping != MAP_FAILED else {
            throw SystemError("mmap")
        }
        descriptor = Descriptor(owning: raw)
        word = mapping.assumingMemoryBound(to: Int.self)
    }

    /// Both sides only want to know about how far the other has come: no order with other memory is implied.
    var value: Int {
        get { UnsafeMutablePointer(word).withMemoryRebound(to: Int.self, capacity: 1) { $0.pointee } }
        set { word.pointee = newValue }
    }
}

/// Sends one stream over descriptor 3, never further ahead of what is stored (descriptor 4) than `window`.
enum StreamSender {
    /// Less than the in-flight ring holds, so that nothing is dropped: the measured rate is sustainable.
    static let window = 2 << 20
    private static let corpusBytes = 64 << 20

    static func play(bulk: Bool, total: Int) throws {
        let stored = try SharedCounter(inherited: 4)
        let corpus = bulk ? Corpus.application(bytes: corpusBytes) : Corpus.lines80(bytes: corpusBytes / 4)
        let chunk = bulk ? 64 << 10 : 80
        _ = fcntl(3, F_SETFL, 0)
        Role.report("ready\n")
        var sent = 0
        try corpus.withUnsafeBytes { text in
            while sent < total {
                while sent - stored.value > window {
                    usleep(20)
                }
                let at = sent % (text.count / chunk * chunk)
                let count = min(chunk, total - sent, text.count - at)
                let done = write(3, text.baseAddress! + at, count)
                guard done > 0 else {
                    throw SystemError("write")
                }
                sent += done
            }
        }
    }
}

/// Many guests, each listening on a socket of its own in a folder, as QEMU does with `server=on`.
///
/// Prints `ready` when all listen and `connected` when all are connected; then, until descriptor 3 is closed, sends `rate`
/// lines of 80 bytes a second over all of them in turn, and counts them in descriptor 4.
enum Guests {
    static let lineBytes = 80

    static func play(count: Int, folder: String, rate: Double) throws {
        Machine.fileLimit()
        let counter = try SharedCounter(inherited: 4)
        var listeners: [Int32] = []
        for number in 0..<count {
            listeners.append(try UnixSocket.listen(at: "\(folder)/vm\(number).sock").release())
        }
        Role.report("ready\n")
        var sockets: [Int32] = []
        for listener in listeners {
            var poll = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            _ = Glibc.poll(&poll, 1, -1)
            guard let socket = try UnixSocket.accept(listener) else {
                throw BenchError("a console was not called")
            }
            try socket.setNonBlocking(false)
            sockets.append(socket.release())
        }
        Role.report("connected\n")
        try send(rate: rate, to: sockets, counter)
    }

    private static func send(rate: Double, to sockets: [Int32], _ counter: SharedCounter) throws {
        let corpus = Corpus.lines80(bytes: 1 << 20)
        let lines = corpus.count / lineBytes
        // A byte starts it, the end of input stops it.
        var byte: UInt8 = 0
        guard read(3, &byte, 1) == 1 else {
            return
        }
        _ = fcntl(3, F_SETFL, O_NONBLOCK)
        let start = Machine.now
        var sent = 0
        while read(3, &byte, 1) != 0 {
            let due = Int((Machine.now - start) * rate)
            try corpus.withUnsafeBytes { text in
                while sent < due {
                    let line = text.baseAddress! + sent % lines * lineBytes
                    guard write(sockets[sent % sockets.count], line, lineBytes) == lineBytes else {
                        throw SystemError("write")
                    }
                    sent += 1
                }
            }
            counter.value = sent
            usleep(1000)
        }
    }
}
