// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

extension FaultTests {
    /// A daemon is told to replace itself, and its successor would refuse to begin.
    @Suite struct RefusedReplacementTests {
        /// What the successor refuses.
        enum Fault: CaseIterable {
            case misspelledKey, unusableStore
        }

        @Test(
            "a program that refuses the configuration or the store does not take over: the running one continues",
            arguments: Fault.allCases
        )
        func serve(fault: Fault) throws {
            let site = try Site()
            let process = try #require(site.daemon).process
            let guest = try site.chardev("web", rate: 2000)
            site.awaitOutput(20_000, of: guest)
            let servings = site.servings
            let valid = FileText.text(site.configuration)
            let file = site.path + "/file"
            FileText.write("", to: file)
            switch fault {
            case .misspelledKey: FileText.write("stroe: /x\n" + valid, to: site.configuration)
            case .unusableStore:
                FileText.write(
                    valid.replacing("store: \(site.storePath)", with: "store: \(file)"),
                    to: site.configuration
                )
            }
            site.daemon?.signal(SIGUSR2)
            #expect(eventually { site.daemon?.standardError.contains("the running program continues") ?? true })
            let reason = fault == .misspelledKey ? "stroe" : "\(file): Not a directory"
            #expect(site.daemon?.standardError.contains(reason) == true, "\(site.daemon?.standardError ?? "")")
            site.awaitOutput(20_000, of: guest)
            #expect(site.servings == servings)
            #expect(site.daemon?.hasEnded == false && site.daemon?.process == process)
            FileText.write(valid, to: site.configuration)
            site.replace()
            site.awaitOutput(20_000, of: guest)
            try site.expectAccounted(guest, "web")
            #expect(try site.stored("web").gaps.isEmpty)
            #expect(guest.soFar.ends.isEmpty, "the guest was cut off")
        }
    }
}

extension EndToEnd {
    /// libvirt's log daemon is told to become a program that would refuse to begin.
    @Suite(
        .serialized,
        .enabled(if: LibvirtHost.isPossible, "needs root, libvirtd, virtlogd and virsh")
    )
    struct RefusedTakeOverTests {
        private static let lines = 3000

        /// Expects that a domain, whose log the daemon `process` keeps open, ends with its whole log.
        private func expectWholeLog(_ host: LibvirtHost, kept process: Int32, by program: String) {
            #expect(host.logProcess == process)
            #expect(ProcFile.target(ofLink: "/proc/\(process)/exe") == program)
            #expect(host.hasEnded("web"))
            let isWhole = eventually {
                String(decoding: host.text("web"), as: UTF8.self).split(separator: "guestlog-line ").count - 1
                    == Self.lines
            }
            #expect(isWhole)
        }

        @Test("adopt is refused while this program would refuse its configuration: virtlogd continues with all logs")
        func adopt() throws {
            let host = try LibvirtHost(.virtlogd, backups: 30)
            host.create("web", host.domain("web", lines: Self.lines))
            #expect(eventually { !host.text("web").isEmpty })
            let process = host.logProcess
            FileText.write("stroe: /x\n", to: host.path + "/guestlog.yaml")
            let answer = host.run([Program.guestlog, "libvirt", "adopt"])
            #expect(answer.status == 3 && answer.standardError.contains("stroe"), "\(answer.standardError)")
            #expect(ProcFile.target(ofLink: host.program) == "/usr/sbin/virtlogd")
            expectWholeLog(host, kept: process, by: "/usr/sbin/virtlogd")
        }

        @Test("adopt is refused while another process uses this program's runtime folder: virtlogd continues")
        func runtimeInUse() throws {
            let host = try LibvirtHost(.virtlogd, backups: 30)
            host.create("web", host.domain("web", lines: Self.lines))
            #expect(eventually { !host.text("web").isEmpty })
            let process = host.logProcess
            let socket = host.path + "/other-sock"
            let other = host.begin(
                [Program.guestlog, "virtlogd", "--socket", socket, "--pid-file", host.path + "/other.pid"],
                name: "other"
            )
            #expect(eventually { other.standardError.contains("is libvirt's log daemon") })
            let answer = host.run([Program.guestlog, "libvirt", "adopt"])
            #expect(answer.status == 3 && answer.standardError.contains("in use by process"), "\(answer.standardError)")
            #expect(ProcFile.target(ofLink: host.program) == "/usr/sbin/virtlogd")
            expectWholeLog(host, kept: process, by: "/usr/sbin/virtlogd")
            other.stop()
        }

        @Test("adopt takes over a log outside libvirt.log-folders, and names it")
        func outsideFolders() throws {
            let host = try LibvirtHost(.virtlogd, backups: 30)
            host.create("web", host.domain("web", lines: Self.lines))
            #expect(eventually { !host.text("web").isEmpty })
            let configuration = FileText.text(host.path + "/guestlog.yaml")
            FileText.write(
                configuration.replacing("log-folders: [\(host.path), ", with: "log-folders: ["),
                to: host.path + "/guestlog.yaml"
            )
            let answer = host.run([Program.guestlog, "libvirt", "adopt"])
            #expect(answer.status == 0, "\(answer.standardError)")
            let words = "is not below libvirt.log-folders of \(host.path)/guestlog.yaml"
            #expect(answer.standardError.contains(words), "\(answer.standardError)")
            #expect(answer.standardError.split(separator: "\n").count == 1, "\(answer.standardError)")
            #expect(host.hasEnded("web"))
        }

        @Test(
            "a log daemon that would refuse virtlogd.conf at a replacement continues with all its logs",
            arguments: [SIGUSR1, SIGUSR2]
        )
        func replaced(by signal: Int32) throws {
            let host = try LibvirtHost(backups: 30)
            host.create("web", host.domain("web", lines: Self.lines))
            #expect(eventually { !host.text("web").isEmpty })
            let process = host.logProcess
            let program = try #require(ProcFile.target(ofLink: "/proc/\(process)/exe"))
            FileText.write("max_backups = 99\n", to: host.path + "/etc/virtlogd.conf")
            kill(process, signal)
            #expect(eventually { host.logDaemon?.standardError.contains("the running program continues") ?? false })
            #expect(host.logDaemon?.standardError.contains("max_backups is 99") == true)
            expectWholeLog(host, kept: process, by: program)
        }
    }
}
