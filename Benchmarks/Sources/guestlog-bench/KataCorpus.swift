// SPDX-License-Identifier: Apache-2.0

/// Synthetic logfmt as Kata's Go runtime writes it, about 440 bytes a line: records of its subsystems, and of what
/// guests print, with their agents' records inside.
struct KataCorpus {
    private var random: SeededGenerator
    /// Nanoseconds since 2026-11-20T00:00:00Z.
    private var time: UInt64 = 0

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// The next lines, at least `bytes` of them.
    mutating func text(bytes: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes + 4096)
        while text.count < bytes {
            appendLine(to: &text)
        }
        return text
    }

    private mutating func appendLine(to text: inout [UInt8]) {
        time += random.below(2_000_000)
        let seconds = time / 1_000_000_000
        text.append(contentsOf: "time=\"2026-11-20T".utf8)
        for (value, end) in [(seconds / 3600 % 24, ":"), (seconds / 60 % 60, ":"), (seconds % 60, ".")] {
            text.append(padded: String(value), to: 2, with: UInt8(ascii: "0"))
            text.append(contentsOf: end.utf8)
        }
        text.append(padded: String(time % 1_000_000_000), to: 9, with: UInt8(ascii: "0"))
        text.append(contentsOf: "Z\" ".utf8)
        let sandbox = hexadecimal(random.below(50))
        let template = Self.templates[Int(random.below(UInt64(Self.templates.count)))]
        for part in template.split(separator: "%", omittingEmptySubsequences: false) {
            switch part.first {
            case "S": text.append(contentsOf: sandbox.utf8)
            case "C": text.append(contentsOf: hexadecimal(random.below(400)).utf8)
            case "N": text.append(contentsOf: String(random.below(100_000)).utf8)
            default:
                text.append(contentsOf: part.utf8)
                continue
            }
            text.append(contentsOf: part.dropFirst().utf8)
        }
        text.append(UInt8(ascii: "\n"))
    }

    /// An identifier of 64 digits, always the same for a number.
    private func hexadecimal(_ number: UInt64) -> String {
        (1...4).map { part in
            let digits = String((number &+ 77) &* 0x9e37_79b9_7f4a_7c15 &* UInt64(part), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// `%S` is a sandbox, `%C` a container, `%N` a number.
    private static let templates = [
        #"level=info msg="release sandbox" arch=amd64 command=state container=%C name=kata-runtime pid=%N sandbox=%S source=virtcontainers subsystem=sandbox"#,
        #"level=debug msg="sending request" req= name=containerd-shim-v2 pid=%N sandbox=%S source=virtcontainers subsystem=kata_agent"#,
        #"level=debug msg="new request" container=%C debug_console=false name=containerd-shim-v2 pid=%N req="container_id:\"%C\" exec_id:\"%C\" signal:15 " request=/grpc.AgentService/SignalProcess sandbox=%S source=virtcontainers subsystem=kata_agent"#,
        #"level=warning msg="no metrics" error="open /proc/%N/stat: no such file or directory" name=containerd-shim-v2 pid=%N sandbox=%S source=containerd-kata-shim-v2"#,
        #"level=debug msg="reading guest console" console-protocol=unix console-url=/run/vc/vm/%S/console.sock name=containerd-shim-v2 pid=%N sandbox=%S source=virtcontainers subsystem=sandbox vmconsole="[   12.%N] sd 0:0:0:0: [sda] %N 512-byte logical blocks""#,
        #"level=debug msg="reading guest console" console-protocol=unix console-url=/run/vc/vm/%S/console.sock name=containerd-shim-v2 pid=%N sandbox=%S source=virtcontainers subsystem=sandbox vmconsole="{\"msg\":\"request %N\",\"level\":\"INFO\",\"ts\":\"2026-11-20T00:00:00.123456789Z\",\"pid\":\"%N\",\"subsystem\":\"rpc\",\"name\":\"kata-agent\",\"source\":\"agent\",\"version\":\"0.1.0\"}""#,
        #"level=info msg="{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}" name=containerd-shim-v2 pid=%N qmp=%N sandbox=%S source=virtcontainers subsystem=qmp"#,
    ]
}
