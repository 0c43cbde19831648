// SPDX-License-Identifier: Apache-2.0

import RotatingFile
import SystemIO
import Testing

@testable import virt_tail

@Suite struct TailOptionsTests {
    @Test(
        "options are accepted as Go programs accept them",
        arguments: [
            ["--logfile", "/x-log", "-v", "3"], ["--logfile=/x-log", "--v=3"], ["-logfile", "/x-log", "-v3"],
            ["-v=3", "-logfile=/x-log"],
        ]
    )
    func spellings(arguments: [String]) {
        let parsed = TailOptions.parse(arguments)
        #expect(parsed.warnings.isEmpty)
        #expect(parsed.options.logFile == "/x-log")
        #expect(parsed.options.threshold == .info)
        #expect(parsed.options.socket == "/x")
    }

    @Test("what is not known or not valid is a warning that names it, and the rest is used")
    func warnings() {
        let parsed = TailOptions.parse([
            "--logtostderr", "--some-flag", "value", "--logfile", "/x", "stray", "--format", "xml",
            "--stop-on=socket,moon",
            "--socket-timeout", "soon", "-v", "loud", "--from", "here", "--rotate-wait=long", "--state-dir",
        ])
        #expect(parsed.options.logFile == "/x" && parsed.options.format == .raw)
        #expect(parsed.options.stopCauses == [.signal, .file])
        #expect(parsed.warnings.count == 10)
        for word in [
            "--logtostderr", "--some-flag", "stray", "xml", "moon", "soon", "loud", "here", "long", "--state-dir",
        ] {
            #expect(parsed.warnings.contains { $0.contains(word) }, "\(word): \(parsed.warnings)")
        }
    }

    @Test("an empty list of causes, from a template, leaves the default", arguments: ["", ",", " "])
    func noCause(list: String) {
        let parsed = TailOptions.parse(["--stop-on", list])
        #expect(parsed.options.stopCauses == [.signal, .file] && parsed.warnings.count == 1)
    }

    @Test("upstream's settings: verbosity from the environment, a timeout in seconds or as Go writes it")
    func upstream() {
        #expect(TailOptions.parse([], verbosity: "4").options.threshold == .debug)
        #expect(TailOptions.parse(["-v", "0"], verbosity: "4").options.threshold == .error)
        #expect(TailOptions.parse([], verbosity: "much").warnings.count == 1)
        #expect(TailOptions.parse(["--socket-timeout", "5"]).options.socketTimeout == 5_000_000)
        #expect(TailOptions.parse(["--socket-timeout=1m0s"]).options.socketTimeout == 60_000_000)
        #expect(TailOptions.parse(["--rotate-wait", "500ms"]).options.rotateWait == 500_000)
    }

    @Test("the default suits native sidecars, which must not end with QEMU, and KubeVirt's plain containers")
    func defaults() {
        let options = TailOptions()
        #expect(options.stopCauses == [.signal, .file] && options.format == .raw && !options.isByLines)
        #expect(TailOptions.parse(["--socket-timeout", "240s"]).options.stopCauses == [.signal, .socket, .file])
        #expect(TailOptions.parse(["--socket-timeout", "9", "--stop-on", "signal"]).options.stopCauses == .signal)
        #expect(options.threshold == .notice && options.stateFolder == nil && options.start == .oldest)
        #expect(TailOptions.parse(["--stop-on", "socket,file"]).options.stopCauses == [.socket, .file])
        #expect(TailOptions.parse(["--help"]).request == .help && TailOptions.parse(["--version"]).request == .version)
    }
}
