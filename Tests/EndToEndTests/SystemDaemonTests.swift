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

    private enum SystemState: String {
        /// The host has the system's configuration.
        case absent
        /// It has the runtime folder too.
        case stopped
        case running
    }

    /// Runs `words` as a user of a host with its own network, on which the system's daemon is in `state`.
    private func run(_ words: String, on state: SystemState) -> (status: Int32, error: String) {
        let listens = "grep -q ' 00010000 .* /run/guestlog/guestlog.sock$' /proc/net/unix"
        let script = """
            mkdir -p "$1/home" "$1/etc" && cp -a /etc/. "$1/etc" && mkdir -p "$1/etc/guestlog"
            rm -rf "$1/etc/guestlog/"* && echo 'log-level: info' >"$1/etc/guestlog/guestlog.yaml"
            chmod -R a+rX "$1/etc/guestlog" && chown 65534 "$1/home" && chmod 755 "$1"
            cp \(Program.guestlog) "$1/guestlog"
            mount --bind "$1/etc" /etc && mount -t tmpfs none /run && mount -t tmpfs none /var/lib
            \(state == .absent ? "" : "mkdir -m 750 /run/guestlog")
            daemon=
            if \(state == .running); then
                "$1/guestlog" serve --store "$1/system" 2>"$1/system.log" & daemon=$!
                until \(listens); do kill -0 $daemon; sleep 0.1; done
            fi
            export HOME="$1/home" status=0
            timeout 20 setpriv --reuid=65534 --regid=65534 --clear-groups "$1/guestlog" \(words) || status=$?
            if [ "$daemon" ]; then kill $daemon; wait $daemon || :; fi
            exit $status
            """
        let command = ["unshare", "-mn", "sh", "-euc", script, "sh", folder.path]
        // The files of its output are appended to.
        let name = state.rawValue + "-" + words.filter(\.isLetter)
        let child = ChildProcess(command, name: name, in: folder.path)
        return (child.wait(), child.standardError)
    }

    @Test("serve of another user does not begin with the configuration of the system's daemon, unless that is named")
    func secondDaemon() {
        // With its check, a daemon that is older than the system's is not replaced by a program that refuses.
        for words in ["serve", "serve --check-config"] {
            let refused = run(words, on: .running)
            #expect(refused.status == 2 && refused.error.contains("--config"), "\(refused)")
        }
        let named = run("serve --config /etc/guestlog/guestlog.yaml --store /nowhere/store", on: .running)
        #expect(named.status == 3 && named.error.contains("/nowhere"), "\(named)")
    }

    @Test("serve of another user begins with the usual configuration while no daemon of the system runs")
    func onlyDaemon() {
        for state in [SystemState.absent, .stopped] {
            let alone = run("serve --socket /nowhere/sock", on: state)
            #expect(alone.status == 3 && alone.error.contains("/nowhere"), "\(state): \(alone)")
        }
    }

    @Test("a user who has a store of guestlog run is told that it is not the system's")
    func ownStore() {
        #expect(run("run --name own -- true", on: .stopped).status == 0)
        let logs = run("logs web", on: .stopped)
        #expect(logs.status == 2 && logs.error.contains("no VM named web"), "\(logs)")
        #expect(logs.error.contains("your own store") && logs.error.contains("set GUESTLOG_SOCKET="), "\(logs)")
        #expect(run("logs own", on: .stopped).status == 0)
        let named = run("logs web --store \"$HOME/.local/share/guestlog\"", on: .stopped)
        #expect(named.error.contains("no VM named web") && !named.error.contains("own store"), "\(named)")
    }

    @Test("a command of another user that finds no daemon names the system's")
    func otherUser() {
        let status = run("status", on: .stopped)
        #expect(status.status == 3 && status.error.contains("usermod -aG guestlog"), "\(status)")
    }
}
