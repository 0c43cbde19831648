// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// A user's commands on a host with a daemon of the system, in a mount namespace that has its files.
@Suite(
    .serialized,
    .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
)
struct SystemDaemonTests {
    private let folder = TemporaryFolder()

    /// A host with the system's configuration and, if it `isInstalled`, its runtime folder. Runs `words` as a user.
    private func run(_ words: String, isInstalled: Bool) -> (status: Int32, error: String) {
        let script = """
            mkdir -p "$1/home" "$1/etc" && cp -a /etc/. "$1/etc" && mkdir -p "$1/etc/guestlog"
            rm -rf "$1/etc/guestlog/"* && echo 'log-level: info' >"$1/etc/guestlog/guestlog.yaml"
            chmod -R a+rX "$1/etc/guestlog" && chown 65534 "$1/home" && chmod 755 "$1"
            cp \(Program.guestlog) "$1/guestlog"
            mount --bind "$1/etc" /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/lib
            \(isInstalled ? "mkdir -m 750 /run/guestlog" : "")
            export HOME="$1/home"
            exec timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups "$1/guestlog" \(words)
            """
        let command = ["unshare", "-m", "sh", "-euc", script, "sh", folder.path]
        let child = ChildProcess(command, name: isInstalled ? "with" : "without", in: folder.path)
        return (child.wait(), child.standardError)
    }

    @Test("serve of another user does not begin with the configuration of the system's daemon, unless that is named")
    func secondDaemon() {
        let refused = run("serve", isInstalled: true)
        #expect(refused.status == 2 && refused.error.contains("--config"), "\(refused)")
        let named = run("serve --config /etc/guestlog/guestlog.yaml --store /nowhere/store", isInstalled: true)
        #expect(named.status == 3 && named.error.contains("/nowhere"), "\(named)")
        let alone = run("serve --socket /nowhere/sock", isInstalled: false)
        #expect(alone.status == 3 && alone.error.contains("/nowhere"), "\(alone)")
    }

    @Test("a user who has a store of guestlog run is told that it is not the system's")
    func ownStore() {
        #expect(run("run --name own -- true", isInstalled: true).status == 0)
        let logs = run("logs web", isInstalled: true)
        #expect(logs.status == 2 && logs.error.contains("no VM named web"), "\(logs)")
        #expect(logs.error.contains("the system's daemon has another"), "\(logs)")
        #expect(run("logs own", isInstalled: true).status == 0)
    }

    @Test("a command of another user that finds no daemon names the system's")
    func otherUser() {
        let status = run("status", isInstalled: true)
        #expect(status.status == 3 && status.error.contains("usermod -aG guestlog"), "\(status)")
    }
}
