// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

/// What `--check-config` tries of a start.
@Suite(.blocking) struct StartCheckTests {
    private let folder = TemporaryFolder()

    /// A configuration in this test's folder; `changes` replace keys.
    private func configuration(_ changes: [String: String] = [:]) throws -> Configuration {
        let keys = ["store": folder.path + "/store", "runtime": folder.path + "/rt"].merging(changes) { $1 }
        return try Configuration(file: "t.yaml", text: keys.map { "\($0.key): \($0.value)\n" }.joined())
    }

    private func reason(_ configuration: Configuration) -> String? {
        do {
            try Daemon.check(configuration)
            return nil
        } catch {
            return "\(error)"
        }
    }

    private func virtlogdReason(_ configuration: Configuration) -> String? {
        do {
            _ = try Virtlogd.check(Virtlogd.Options(socket: folder.path + "/log-sock"), configuration)
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test("a configuration that works is accepted, and nothing is created")
    func accepted() throws {
        #expect(try reason(configuration()) == nil)
        #expect(try virtlogdReason(configuration()) == nil)
        #expect(try LinuxFileSystem().names(in: folder.path) == [])
    }

    @Test(
        "a folder in which nothing can be created is refused, for root too",
        arguments: ["store", "runtime"]
    )
    func unusableFolders(key: String) throws {
        let configuration = try configuration([key: "/proc/nope", "socket": folder.path + "/api.sock"])
        #expect(reason(configuration)?.contains("/proc") == true)
        #expect(virtlogdReason(configuration)?.contains("/proc") == true)
    }

    @Test("a socket in a folder in which nothing can be created is refused, and so is one where a file is")
    func unusableSockets() throws {
        #expect(try reason(configuration(["socket": "/proc/a.sock"]))?.contains("/proc") == true)
        _ = try StoredFile(folder.path + "/file", .create, on: LinuxFileSystem())
        let refused = reason(try configuration(["socket": folder.path + "/file"]))
        #expect(refused?.contains("/file: it is a regular file, not a socket") == true, "\(refused ?? "")")
    }

    @Test(
        "a socket's path to which no client can connect is an error of the configuration",
        arguments: [107, 108, 121]
    )
    func longSockets(length: Int) throws {
        let path = "/tmp/" + String(repeating: "a", count: length - 5)
        guard length > 107 else {
            return #expect(try configuration(["socket": path]).socket == path)
        }
        let error = #expect(throws: ConfigurationError.self) { try configuration(["socket": path]) }
        #expect(error?.message.contains("a socket path can have 107 bytes at most") == true, "\(error?.message ?? "")")
        // Other programs that read the file have no such socket.
        #expect(reason(try configuration(["runtime": path]))?.contains("107 bytes") == true)
        var named = try configuration()
        named.socket = path
        #expect(reason(named)?.contains("107 bytes") == true)
        #expect(throws: SystemError.self) { try DaemonFolders.prepare(named) }
        let options = Virtlogd.Options(socket: path)
        #expect(throws: SystemError.self) { _ = try Virtlogd.check(options, configuration()) }
    }

    /// A process of its own that holds the lock of `path`, with its number in it, until the input ends.
    private func holding(_ path: String, _ body: (Int32) throws -> Void) throws {
        let script = "exec 9>>\(path); flock 9; echo $$ >\(path); while :; do sleep 0.05; done"
        let child = try ChildProgram(["sh", "-c", script])
        defer { kill(child.process, SIGKILL) }
        #expect(eventually { ProcFile.text(path).hasSuffix("\n") })
        try body(child.process)
    }

    @Test("a runtime folder that another process uses is refused, unless that process is to be replaced")
    func lockedRuntime() throws {
        let inflight = folder.path + "/rt/inflight"
        try LinuxFileSystem().makeDirectories(inflight)
        try holding(inflight + "/lock") { process in
            let configuration = try configuration()
            #expect(reason(configuration)?.contains("in use by process \(process)") == true)
            #expect(virtlogdReason(configuration) == nil)
            let options = CaptureService.Options(store: folder.path + "/store", inflight: inflight)
            try CaptureService.check(options) { $0 == process }
            #expect(throws: SystemError.self) { try CaptureService.check(options) { $0 != process } }
        }
    }

    @Test("a log daemon's runtime folder that another process uses is refused")
    func lockedLogRuntime() throws {
        let inflight = folder.path + "/rt/virtlogd/inflight"
        try LinuxFileSystem().makeDirectories(inflight)
        try holding(inflight + "/lock") { process in
            let found = virtlogdReason(try configuration())
            #expect(found?.contains("in use by process \(process)") == true)
        }
    }

    @Test("a store that another guestlog serve uses is refused")
    func lockedStore() throws {
        try LinuxFileSystem().makeDirectories(folder.path + "/store")
        try holding(folder.path + "/store/.serve.lock") { _ in
            let configuration = try configuration()
            #expect(reason(configuration)?.contains("another guestlog serve uses this store") == true)
            #expect(virtlogdReason(configuration) == nil)
        }
    }

    @Test("the store of the daemon that listens at the same socket is accepted, with another runtime folder too")
    func otherRuntime() throws {
        try LinuxFileSystem().makeDirectories(folder.path + "/store")
        let lock = try StoredFile(folder.path + "/store/.serve.lock", .create, on: LinuxFileSystem())
        try #require(lock.lock())
        let changes = ["runtime": folder.path + "/other", "socket": folder.path + "/api.sock"]
        #expect(try reason(configuration(changes))?.contains("another guestlog serve uses this store") == true)
        let socket = try ListeningSocket(path: folder.path + "/api.sock")
        #expect(try reason(configuration(changes)) == nil)
        withExtendedLifetime((socket, lock)) {}
    }

    @Test("a process that listens at the daemon's socket is the one that is replaced")
    func listening() throws {
        let path = folder.path + "/api.sock"
        let socket = try ListeningSocket(path: path)
        // The kernel's list may lack a socket while other tests open and close theirs.
        #expect(eventually { UnixSocket.listeningPaths(of: getpid()).contains(path) })
        #expect(eventually { UnixSocket.isListening(at: path) })
        #expect(!UnixSocket.isListening(at: path + "x"))
        #expect(eventually { PreviousDaemon(socket: path).isIn(getpid()) })
        #expect(!PreviousDaemon(socket: path + "x").isIn(getpid()))
        #expect(symlink(folder.path, folder.path + "/link") == 0)
        #expect(PreviousDaemon(socket: folder.path + "/link/api.sock").isIn(getpid()))
        withExtendedLifetime(socket) {}
    }
}
