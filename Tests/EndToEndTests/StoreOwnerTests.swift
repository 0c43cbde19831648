// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

/// Commands of root on the store of a daemon that is another user's, as the packaged one is.
@Suite(.serialized, .enabled(if: geteuid() == 0, "needs root, who alone can act for another")) struct StoreOwnerTests {
    private static let user: UInt32 = 65534
    private static let asUser = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    /// The files below `folder` that are not the user's.
    private func foreign(_ folder: String) -> [String] {
        FileText.names(in: folder).flatMap { name in
            let path = folder + "/" + name
            guard let file = FileAttributes(at: path) else {
                return [String]()
            }
            return (file.owner == Self.user ? [] : [path]) + (file.isDirectory ? foreign(path) : [])
        }
    }

    @Test("what root's serve, run, import and rm create belongs to the store's owner, whose daemon can go on with it")
    func commands() throws {
        let delivered = TemporaryFolder()
        let output = "{ name: files, type: file, path: '\(delivered.path)/{vm}.json', from: beginning }"
        let site = try Site(extra: "outputs: [\(output)]", isServed: false)
        chmod(site.path, 0o755)
        mkdir(site.storePath, 0o750)
        for folder in [site.storePath, site.runtime] {
            chown(folder, Self.user, Self.user)
        }
        let program = site.path + "/guestlog"
        #expect(ChildProcess(["cp", Program.guestlog, program], name: "cp", in: site.path).wait() == 0)
        let guest = try Chardev(site.path + "/vms/web.sock")
        FileText.write("one\ntwo\n", to: site.path + "/notes")

        try site.start()
        try guest.accept()
        guest.emit("from root's daemon\n")
        #expect(try site.sees("from root's daemon", from: "web"))
        let words = ["import", "--format", "none", "--vm", "web", "--stream", "notes", site.path + "/notes"]
        let imported = site.guestlog(words)
        #expect(imported.status == 0, "\(imported.standardError)")
        for name in ["ran", "gone"] {
            let words = ["run", "--name", name] + site.options(.store) + ["--", "echo", "x"]
            #expect(ChildProcess([Program.guestlog] + words, name: name, in: site.path).wait() == 0)
        }
        site.stop()
        let removed = site.guestlog("rm", "gone")
        #expect(removed.status == 0, "\(removed.standardError)")
        #expect(foreign(site.storePath) == [])
        #expect(foreign(site.runtime) == [])

        try site.start(program, under: Self.asUser)
        #expect(site.guestlog("vms", by: .socket).text.contains("ran"))
        site.stop()
        let again = ["run", "--name", "web"] + site.options(.store) + ["--", "echo", "from the user"]
        let run = ChildProcess(Self.asUser + [program] + again, name: "user", in: site.path)
        #expect(run.wait() == 0, "\(run.standardError)")
        #expect(try site.sees("from the user", from: "web"))
    }

    @Test("the socket that a daemon of another user has left is named, with the remedy")
    func leftSocket() throws {
        let site = try Site(isServed: false)
        chmod(site.path, 0o755)
        chmod(site.configuration, 0o644)
        mkdir(site.storePath, 0o750)
        _ = try UnixSocket.listen(at: site.socket)
        for folder in [site.storePath, site.runtime] {
            chown(folder, Self.user, Self.user)
        }
        let program = site.path + "/guestlog"
        #expect(ChildProcess(["cp", Program.guestlog, program], name: "cp", in: site.path).wait() == 0)
        let words = [program, "serve", "--config", site.configuration]
        let daemon = ChildProcess(Self.asUser + words, name: "daemon", in: site.path)
        #expect(daemon.wait() == 3)
        #expect(daemon.standardError.contains("listen \(site.socket)"), "\(daemon.standardError)")
        #expect(daemon.standardError.contains("remove the file"), "\(daemon.standardError)")
    }
}
