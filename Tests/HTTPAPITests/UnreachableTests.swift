// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO
import TestSupport
import Testing

@testable import HTTPAPI

/// The command line's connections to the daemon.
@Suite struct UnreachableTests {
    private let folder = TemporaryFolder()

    private func message(_ socket: String, console: Bool) async -> String {
        let client = APIClient(socket: socket)
        do {
            if console {
                let target = RequestTarget(["v1", "vms", "web", "console"])
                _ = try await client.console(target, input: AsyncStream { _ in }) { _ in }
            } else {
                _ = try await client.get(RequestTarget(["v1", "status"]))
            }
            return ""
        } catch {
            return "\(error)"
        }
    }

    @Test("why no daemon is reached is told, and what to do", arguments: [false, true])
    func reasons(console: Bool) async throws {
        let missing = folder.path + "/none.sock"
        let begin = "cannot reach the daemon at "
        let isSystemRunning = access("/run/guestlog/guestlog.sock", F_OK) == 0
        let absent = await message(missing, console: console)
        #expect(absent.hasPrefix(begin + missing + ": No such file or directory; "))
        #expect(isSystemRunning || absent.hasSuffix("; is guestlog serve running?"))
        let dead = folder.path + "/dead.sock"
        _ = try UnixSocket.listen(at: dead)
        #expect(
            await message(dead, console: console)
                == begin + dead + ": Connection refused; is guestlog serve running?"
        )
        let long = folder.path + "/" + String(repeating: "x", count: 120)
        #expect(
            await message(long, console: console)
                == begin + long + ": File name too long; a socket path can have 107 bytes at most"
        )
        #expect(await APIClient(socket: missing).store() == nil)
    }

    @Test(
        "a user who may not look into the system's folder is told who may",
        .enabled(if: geteuid() == 0, "needs root, who alone can act for another")
    )
    func systemDaemon() throws {
        let (system, own) = (folder.path + "/system", folder.path + "/own")
        chmod(folder.path, 0o755)
        // Without root's group, which the other user keeps where root's process is in it.
        mkdir(system, 0o700)
        mkdir(own, 0o750)
        chown(own, 65534, 65534)
        let socket = system + "/guestlog.sock"
        #expect(APIClient.Unreachable.hint(besides: socket) == nil)
        _ = try UnixSocket.listen(at: socket)
        #expect(APIClient.Unreachable.hint(besides: socket)?.contains("listens at \(socket)") == true)
        var hint: String?
        FileOwner.perform(as: FileOwner(of: own)) { hint = APIClient.Unreachable.hint(besides: socket) }
        #expect(hint?.contains("use sudo") == true && hint?.contains("usermod -aG guestlog") == true, "\(hint ?? "")")
    }

    @Test("a request makes one connection")
    func connections() async throws {
        let path = folder.path + "/one.sock"
        let listener = try UnixSocket.listen(at: path)
        let request = Task { try await APIClient(socket: path).get(RequestTarget(["v1", "status"])) }
        func accept() -> Int32 { gl_accept(listener.raw) }
        var accepted: [Int32] = []
        func takeAll() {
            while let next = Optional(accept()), next >= 0 {
                accepted.append(next)
            }
        }
        // The connection that brings the request is the last one.
        var buffer = [UInt8](repeating: 0, count: 4096)
        #expect(
            await awaits {
                takeAll()
                return accepted.last.map { read($0, &buffer, buffer.count) > 0 } ?? false
            }
        )
        takeAll()
        #expect(accepted.count == 1)
        accepted.forEach { close($0) }
        await #expect(throws: APIClient.Unreachable.self) { try await request.value }
    }
}
