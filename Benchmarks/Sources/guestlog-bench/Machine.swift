// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The machine: its clocks, its load, its caches.
enum Machine {
    /// Monotonic time in seconds.
    static var now: Double {
        Double(SystemClock().monotonicMicroseconds()) / 1_000_000
    }

    /// The calling thread's CPU time in seconds.
    static var threadTime: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// The load averages, from /proc.
    static var load: String {
        contents(of: "/proc/loadavg").split(separator: " ").prefix(3).joined(separator: " ")
    }

    /// A folder on a disk for what a row makes; empty.
    static func freshFolder(_ name: String) throws -> String {
        let path = folder + "/" + name
        remove(path)
        try makeFolder(path)
        return path
    }

    /// A folder on tmpfs for what a row makes; empty.
    static func freshMemoryFolder(_ name: String) throws -> String {
        let path = "/dev/shm/guestlog-bench-" + name
        remove(path)
        try makeFolder(path)
        return path
    }

    /// Where rows make their folders.
    static let folder: String = {
        getenv("GUESTLOG_BENCH_DIR").map { String(cString: $0) } ?? "/var/tmp/guestlog-bench"
    }()

    /// A folder on tmpfs, empty, for the in-flight rings.
    static func freshRuntimeFolder() throws -> String {
        try freshMemoryFolder("run")
    }

    static func makeFolder(_ path: String) throws {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o755) != 0, errno != EEXIST {
                throw SystemError("mkdir", made)
            }
        }
    }

    /// Removes a folder with all that is in it.
    static func remove(_ path: String) {
        for entry in entries(of: path) {
            if entry.isFolder {
                remove(path + "/" + entry.name)
            } else {
                unlink(path + "/" + entry.name)
            }
        }
        rmdir(path)
    }

    static func entries(of path: String) -> [(name: String, isFolder: Bool)] {
        guard let stream = opendir(path) else {
            return []
        }
        defer { closedir(stream) }
        var found: [(String, Bool)] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." {
                found.append((name, entry.pointee.d_type == DT_DIR))
            }
        }
        return found
    }

    /// All files below `path`.
    static func files(below path: String) -> [String] {
        entries(of: path).flatMap { entry in
            entry.isFolder ? files(below: path + "/" + entry.name) : [path + "/" + entry.name]
        }
    }

    /// What a file has: its length, and the bytes it takes on disk.
    static func size(of path: String) -> (length: Int, onDisk: Int) {
        var status = stat()
        guard lstat(path, &status) == 0 else {
            return (0, 0)
        }
        return (Int(status.st_size), Int(status.st_blocks) * 512)
    }

    /// A small file's text; empty when there is none.
    static func contents(of path: String) -> String {
        let file = open(path, O_RDONLY)
        guard file >= 0 else {
            return ""
        }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = read(file, &buffer, buffer.count)
            guard count > 0 else {
                return String(decoding: bytes, as: UTF8.self)
            }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    static func write(_ text: String, to path: String) throws {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else {
            throw SystemError("open", path)
        }
        defer { close(file) }
        let bytes = Array(text.utf8)
        guard Glibc.write(file, bytes, bytes.count) == bytes.count else {
            throw SystemError("write", path)
        }
    }

    /// Makes the kernel forget all files it has in memory; needs root.
    static func dropCaches() throws {
        sync()
        try write("3\n", to: "/proc/sys/vm/drop_caches")
    }

    /// Raises the limit of open files, above the hard one where that is allowed; what it is then.
    @discardableResult
    static func fileLimit() -> Int {
        let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        var limit = rlimit(rlim_cur: 262_144, rlim_max: 262_144)
        if setrlimit(files, &limit) != 0 {
            getrlimit(files, &limit)
            limit.rlim_cur = limit.rlim_max
            setrlimit(files, &limit)
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// Waits until `condition` holds, looking every millisecond.
    static func wait(_ what: String, within seconds: Double = 120, until condition: () -> Bool) {
        let start = now
        while !condition() {
            guard now - start < seconds else {
                fail("waited \(Int(seconds)) s in vain: \(what)")
            }
            usleep(1000)
        }
    }

    /// Ends the run. Not by throwing: capture may be at work in this process, and must not be torn down.
    static func fail(_ why: String) -> Never {
        complain(why)
        exit(1)
    }
}
