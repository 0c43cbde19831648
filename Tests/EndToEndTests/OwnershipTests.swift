// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

extension FaultTests {
    /// One process uses a runtime folder, one daemon a store; in-flight data go to the store that they belong to.
    @Suite struct OwnershipTests {
        /// A second configuration on a site's host.
        private func configuration(_ site: Site, _ name: String, store: String, runtime: String, _ more: String = "")
            -> String
        {
            let path = "\(site.path)/\(name).yaml"
            FileText.write("store: \(store)\nruntime: \(runtime)\nsocket: \(runtime)/\(name).sock\n\(more)\n", to: path)
            return path
        }

        private func serve(_ configuration: String, _ site: Site, _ name: String) -> ChildProcess {
            ChildProcess([Program.guestlog, "serve", "--config", configuration], name: name, in: site.path)
        }

        /// The rings below a runtime folder.
        private func rings(_ runtime: String) -> [String] {
            FileText.names(in: runtime).flatMap { folder in
                (folder == "inflight"
                    ? ["inflight"] : FileText.names(in: "\(runtime)/\(folder)").map { "\(folder)/\($0)" })
            }
            .filter { $0.hasSuffix("inflight") }
            .flatMap { folder in FileText.names(in: "\(runtime)/\(folder)").map { "\(folder)/\($0)" } }
            .filter { $0.hasSuffix(".ring") }
        }

        /// Whether a client is waiting at `listener`.
        private func hasClient(_ listener: borrowing Descriptor) -> Bool {
            var polled = pollfd(fd: listener.raw, events: Int16(POLLIN), revents: 0)
            return poll(&polled, 1, 0) > 0
        }

        @Test("a second daemon on a runtime folder or a store exits 3, reports the reason, and connects to no console")
        func secondDaemon() throws {
            let site = try Site()
            let process = try #require(site.daemon).process
            let console = site.path + "/other.sock"
            let listener = try UnixSocket.listen(at: console)
            let consoles = "consoles: [{ connect: '\(console)', name: other }]"
            let before = rings(site.runtime)
            #expect(!before.isEmpty)

            let sameRuntime = serve(
                configuration(site, "two", store: site.path + "/store2", runtime: site.runtime, consoles),
                site,
                "two"
            )
            #expect(sameRuntime.wait() == 3)
            #expect(sameRuntime.standardError.contains("in use by process \(process)"), "\(sameRuntime.standardError)")

            let otherRuntime = TemporaryFolder(parent: "/dev/shm")
            let sameStore = serve(
                configuration(site, "three", store: site.storePath, runtime: otherRuntime.path, consoles),
                site,
                "three"
            )
            #expect(sameStore.wait() == 3)
            #expect(
                sameStore.standardError.contains("another guestlog serve uses this store"),
                "\(sameStore.standardError)"
            )

            let isReached = hasClient(listener)
            #expect(!isReached)
            #expect(rings(site.runtime) == before)
            #expect(rings(otherRuntime.path) == [])
            #expect(access(site.path + "/store2", F_OK) != 0)
            #expect(site.guestlog("status").status == 0)
        }

        @Test(
            "a killed daemon's in-flight data wait for a daemon of the same store",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
        )
        func otherStore() throws {
            let mount = FuseMount()
            defer { mount.end() }
            let site = try Site(store: mount.folder.path + "/store")
            let guest = try site.chardev("web", rate: 5000)
            #expect(try eventually { try site.stored("web").bytes.count > 20_000 })
            mount.hang()
            site.awaitOutput(200_000, of: guest)
            guest.setRate(0)
            #expect(eventually { guest.isDrained })
            let record = guest.soFar
            site.daemon?.signal(SIGKILL)
            mount.resume()
            #expect(site.daemon?.wait() == 128 + SIGKILL)
            let inFlight = try record.bytes - site.stored("web").bytes.count
            #expect(inFlight > 0)

            let other = site.path + "/other"
            let daemon = serve(configuration(site, "other", store: other, runtime: site.runtime), site, "other")
            #expect(eventually { daemon.standardError.contains("serves") }, "\(daemon.standardError)")
            #expect(daemon.stop() == 0)
            #expect(try Store(root: other).vms().isEmpty)
            #expect(try record.bytes - site.stored("web").bytes.count == inFlight)
            #expect(!rings(site.runtime).isEmpty)

            try site.start()
            #expect(try eventually { try site.stored("web").bytes.count >= record.bytes })
            try site.expectAccounted(guest, "web")
        }

        /// Kills a run with in-flight data; returns its output.
        private func killRun(_ site: Site, _ mount: FuseMount) throws -> String {
            let script =
                "echo first; read word; for i in $(seq 2000); do echo line $i of the run; done; echo over; sleep 600"
            let words = ["run", "--name", "web"] + site.options(.store) + ["--", "sh", "-c", script]
            let run = site.begin(words, name: "run")
            #expect(try site.sees("first", from: "web"))
            mount.hang()
            run.send("go\n")
            #expect(eventually { run.text.contains("over") })
            run.signal(SIGKILL)
            mount.resume()
            #expect(run.wait() == 128 + SIGKILL)
            #expect(rings(site.runtime).count == 1)
            return run.text
        }

        @Test(
            "a killed run's in-flight data go to a run, or to a daemon, of the same store and to no other",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement)),
            arguments: [true, false]
        )
        func killedRun(isServedNext: Bool) throws {
            let mount = FuseMount()
            defer { mount.end() }
            let site = try Site(store: mount.folder.path + "/store", isServed: false)
            let printed = try killRun(site, mount)
            let stored = try site.stored("web").bytes.count
            #expect(stored < printed.utf8.count)

            let other = ["--config", site.configuration, "--store", site.path + "/other"]
            let otherRun = site.begin(["run", "--name", "x"] + other + ["--", "echo", "x"], name: "stranger")
            #expect(otherRun.wait() == 0, "\(otherRun.standardError)")
            #expect(try Store(root: site.path + "/other").vms().map(\.identity.name) == ["x"])
            #expect(try site.stored("web").bytes.count == stored)
            #expect(rings(site.runtime).count == 1)

            if isServedNext {
                try site.start()
            } else {
                let command = ["run", "--name", "y"] + site.options(.store) + ["--", "echo", "y"]
                let next = site.begin(command, name: "next")
                #expect(next.wait() == 0, "\(next.standardError)")
            }
            #expect(try eventually { try site.stored("web").bytes.elementsEqual(printed.utf8) })
            #expect(try String(decoding: site.stored("web").bytes, as: UTF8.self) == printed)
            site.stop()
            #expect(rings(site.runtime) == [])
        }

        @Test(
            "the data of a run in another namespace of process ids are not taken",
            .enabled(if: geteuid() == 0, "making a namespace needs root")
        )
        func otherNamespace() throws {
            let site = try Site(isServed: false)
            let script = "echo first; read word; echo third; read word; exit 7"
            let words = ["run", "--name", "web"] + site.options(.store) + ["--", "sh", "-c", script]
            let namespace = ["unshare", "-p", "-f", "--kill-child", "--mount-proc"]
            let run = ChildProcess(namespace + [Program.guestlog] + words, name: "run", in: site.path)
            #expect(try site.sees("first", from: "web"))
            let ring = rings(site.runtime)
            #expect(ring.count == 1)
            for name in ["one", "two"] {
                let other = site.begin(
                    ["run", "--name", name] + site.options(.store) + ["--", "echo", name],
                    name: name
                )
                #expect(other.wait() == 0, "\(other.standardError)")
            }
            #expect(rings(site.runtime) == ring)
            run.send("go\n")
            #expect(try site.sees("third", from: "web"))
            run.send("go\n")
            #expect(run.wait() == 7)
            let stored = try String(decoding: site.stored("web").bytes, as: UTF8.self)
            #expect(stored.count(of: "first") == 1 && stored.count(of: "third") == 1, "\(stored)")
            #expect(rings(site.runtime) == [])
        }

        @Test("a failed start leaves no ring")
        func failedStart() throws {
            let site = try Site(isServed: false)
            FileText.write("", to: site.path + "/file")
            let daemon = serve(
                configuration(site, "bad", store: site.path + "/file/store", runtime: site.runtime),
                site,
                "bad"
            )
            #expect(daemon.wait() == 3, "\(daemon.standardError)")
            #expect(rings(site.runtime) == [])
            let words = ["run", "--config", site.configuration, "--store", site.path + "/file/store", "--", "true"]
            #expect(site.begin(words, name: "run").wait() == 3)
            #expect(rings(site.runtime) == [])
        }
    }
}

extension String {
    /// The number of occurrences of `part`.
    fileprivate func count(of part: String) -> Int { ranges(of: part).count }
}
