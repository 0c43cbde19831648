// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import TestTraits
import Testing
import TextFormats

@testable import guestlog

@Suite("Command line words", .blocking)
struct CommandLineWordsTests {
    /// The words of `line`, which are separated by single spaces.
    private static func split(_ line: String) -> [String] {
        line.split(separator: " ", omittingEmptySubsequences: false).map { String($0) }
    }

    private static func rewritten(_ line: String) throws -> String {
        try CommandLineWords(split(line), for: Guestlog.self).words.joined(separator: " ")
    }

    @Test(
        "options are accepted as getopt, kubectl and journalctl have them",
        arguments: [
            ("logs web -n20", "logs web --tail=20"), ("logs -n20 web", "logs --tail=20 web"),
            ("logs web -n 20", "logs web --tail=20"), ("logs web --lines=20", "logs web --tail=20"),
            ("logs web -n=20", "logs web --tail=20"),
            ("logs web -gx -A2", "logs web --grep=x -A=2"), ("logs web -A -1", "logs web -A=-1"),
            ("logs web -B1 -C 2", "logs web --before-context=1 --context=2"),
            ("logs web --tail 20", "logs web --tail=20"), ("logs web --tail=20", "logs web --tail=20"),
            ("logs web -n -1", "logs web --tail=-1"), ("logs web -n-5", "logs web --tail=-5"),
            ("logs web -S10m -U5m", "logs web --since=10m --until=5m"),
            ("logs web --since -1h", "logs web --since=-1h"), ("logs web -S -1h30m", "logs web --since=-1h30m"),
            ("logs web -U -5m", "logs web --until=-5m"), ("wait web x --since -1h", "wait web x --since=-1h"),
            ("wait web x --timeout -1s", "wait web x --timeout=-1s"),
            ("logs web -ojson -gERR -sconsole0", "logs web --output=json --grep=ERR --stream=console0"),
            ("logs web -g -foo", "logs web --grep=-foo"), ("logs web -g --grep", "logs web --grep=--grep"),
            ("logs web -fn20", "logs web --follow --tail=20"),
            ("logs web -ftn 20", "logs web --follow --timestamps --tail=20"),
            ("logs web --no-pager -q --merge", "logs web"), ("logs web -aqn5", "logs web --tail=5"),
            ("logs web -i -g x", "logs web --ignore-case --grep=x"), ("logs web -b all", "logs web"),
            ("logs web --since-time=10m", "logs web --since=10m"),
            ("logs web --since-time 10m", "logs web --since=10m"),
            ("logs web -b", "logs web --boot=0"), ("logs -b web", "logs --boot=0 web"),
            ("logs web -b -1", "logs web --boot=-1"),
            ("logs web -b-1", "logs web --boot=-1"), ("logs web -b1", "logs web --boot=1"),
            ("logs -fb web", "logs --follow --boot=0 web"),
            ("logs web -bf", "logs web --boot=0 --follow"), ("logs web --boot", "logs web --boot=0"),
            ("logs web -ball", "logs web"), ("logs web --boot=all", "logs web"),
            ("logs web --boot=2", "logs web --boot=2"),
            ("logs web --follow=false", "logs web"), ("logs web --follow=true", "logs web --follow"),
            ("logs web -f=false", "logs web"),
            ("logs web -f --follow=false", "logs web"), ("logs web --follow=false -f", "logs web --follow"),
            ("logs web --timestamps=True --utc=1", "logs web --timestamps --utc"),
            ("logs web --prefix=true", "logs web --prefix"), ("logs web --prefix=false", "logs web --no-prefix"),
            ("logs web --no-prefix=false", "logs web --prefix"), ("logs web --previous=true", "logs web --previous"),
            ("vms --utc=no -ojson", "vms --output=json"), ("console web --watch=true", "console web --watch"),
            ("token add -sread -sconsole", "token add --scope=read --scope=console"),
            ("wait web -- -n20", "wait web -- -n20"),
            ("run --name x -- qemu -n20 --follow=false", "run --name=x -- qemu -n20 --follow=false"),
            ("virtlogd -v -t5", "virtlogd --verbose --timeout=5"), ("version", "--version"), ("-V", "--version"),
            ("logs web -cconsole0", "logs web --stream=console0"),
            ("logs -fc=console0 web", "logs --follow --stream=console0 web"),
            ("logs web -xl --after-cursor c --priority 3", "logs web --cursor=c --severity=3"),
            // What the parser declares for every command is left to it.
            ("logs --help", "logs --help"), ("vms -h", "vms --help"),
            ("logs web -n", "logs web --tail"), ("logs web -n --", "logs web --tail --"), ("--help", "--help"),
            ("-- logs -n20", "-- logs -n20"),
            ("help logs", "help logs"), ("token", "token"), ("logs -", "logs -"),
        ]
    )
    func rewrites(_ typed: String, _ expected: String) throws {
        #expect(try Self.rewritten(typed) == expected)
    }

    @Test("every flag of every command accepts a value, and every option one that begins with a dash")
    func acceptsEverywhere() throws {
        func check(_ command: any ParsableCommand.Type, _ path: [String]) throws {
            for subcommand in command.configuration.subcommands {
                try check(subcommand, path + [subcommand._commandName])
            }
            guard command.configuration.subcommands.isEmpty else {
                return
            }
            let declared = DeclaredOptions(of: command)
            #expect(!declared.names.isEmpty, "\(path)")
            for name in declared.names {
                let dashed = DeclaredOptions.spelled(name)
                switch declared[name] {
                case .flag(let long):
                    let words = try CommandLineWords(path + [dashed + "=true"], for: Guestlog.self).words
                    #expect(words == path + ["--" + long])
                case .option(let long):
                    let words = try CommandLineWords(path + [dashed, "-1"], for: Guestlog.self).words
                    #expect(words == path + ["\(DeclaredOptions.spelled(long))=-1"])
                case nil:
                    Issue.record("\(path) does not declare \(name)")
                }
            }
        }
        try check(Guestlog.self, [])
    }

    @Test("what was rewritten is parsed as it was meant")
    func parsed() throws {
        let words = Self.split("logs web -n20 -b-1 -S10m -U -5m -ojson -gERR -g -x -sconsole0 --prefix=false -t")
        let logs = try #require(try Guestlog.parseAsRoot(CommandLineWords(words, for: Guestlog.self).words) as? Logs)
        #expect(
            logs.words == ["web"] && logs.tail == "20" && logs.reading.boot == -1 && logs.reading.since == "10m"
                && logs.reading.until == "-5m"
        )
        #expect(logs.reading.output == "json" && logs.reading.grep == ["ERR", "-x"] && logs.stream == ["console0"])
        #expect(logs.reading.prefix == false && logs.reading.timestamps && !logs.follow)
        let empty = try CommandLineWords(["logs", "web", "-g", ""], for: Guestlog.self).words
        #expect((try Guestlog.parseAsRoot(empty) as? Logs)?.reading.grep == [""])
    }

    @Test("kubectl's option for the container is accepted by the plug-in, which hints at its own options only")
    func plugin() throws {
        func parsed(_ line: String) throws -> KubectlLogs? {
            let words = try CommandLineWords(Self.split(line), for: KubectlGuestlog.self).words
            return try KubectlGuestlog.parseAsRoot(words) as? KubectlLogs
        }
        #expect(try parsed("logs web -c guest-console-log")?.container == "guest-console-log")
        #expect(try parsed("logs web --no-pager --since-time=10m")?.reading.since == "10m")
        for line in ["logs web -c compute", "logs web -u x", "logs web -f -b -1", "logs web -v"] {
            let error = #expect(throws: (any Error).self) { try parsed(line) }
            #expect(error.map { !"\($0)".contains("--stream") && !"\($0)".contains("name a field") } == true)
        }
        #expect(try parsed("logs web -f -b")?.reading.boot == 0)
        #expect(try parsed("logs web --as=bob --as-group a --as-group b")?.cluster.impersonatedGroups == ["a", "b"])
        for (line, remedy) in [
            ("logs web --user=x", "use --context"), ("boots web --client-key k", "kubectl config"),
            ("logs -A --max-log-requests=9", "any number"), ("logs web --v=6", "no further messages"),
            ("logs web --limit=5", "use --tail"), ("logs web --last 5", "use --tail"), ("logs web -20", "use --tail"),
            ("logs web --json", "use -o json"),
        ] {
            let error = #expect(throws: CommandLineError.self) { try parsed(line) }
            #expect(error?.description.contains(remedy) == true, "\(error?.description ?? "")")
        }
    }

    @Test("a field of a VM's name takes one word")
    func fields() throws {
        let line = "import a.log --vm n1 -f kata --vm-field sandbox --vm-field vm b.log"
        let words = try CommandLineWords(Self.split(line), for: Guestlog.self).words
        let found = try #require(try Guestlog.parseAsRoot(words) as? ImportCommand)
        #expect(found.files == ["a.log", "b.log"] && found.vmField == ["sandbox", "vm"])
    }

    @Test("the time of a replay is sent as a moment: the daemon's zone may be another")
    func replay() throws {
        let now = Timestamp(microseconds: 1_763_658_005_000_000)
        let replay = try OutputsCommand.Replay.parse(["fleet", "--since", "2025-11-20 17:00"])
        let moment = try TimeWords.parse("2025-11-20 17:00", now: now).first
        #expect(try replay.body(now: now)["since"]?.text == moment.description)
    }

    @Test("a token for no VM, of an unknown scope or without an id is refused")
    func wrongTokens() {
        #expect(throws: (any Error).self) { try Token.Add.parse(["--vm", ""]) }
        #expect(throws: (any Error).self) { try Token.Add.parse(["--scope", "read,console"]) }
        #expect(throws: (any Error).self) { try Token.Revoke.parse([""]) }
        #expect(throws: Never.self) { try Token.Add.parse(["--vm", "web-*"]) }
    }

    @Test(
        "wrong words are refused with a remedy",
        arguments: [
            ("vm", "did you mean 'guestlog vms'?"), ("lgos web", "did you mean 'guestlog logs'?"),
            ("log web", "did you mean 'guestlog logs'?"),
            ("ps", "did you mean 'guestlog vms'?"), ("list", "did you mean 'guestlog vms'?"),
            ("attach web", "did you mean 'guestlog console'?"), ("help nosuch", "'guestlog help' lists the commands"),
            ("token lst", "did you mean 'guestlog token list'?"),
            ("config chekc", "did you mean 'guestlog config check'?"),
            ("help config shwo", "did you mean 'guestlog config show'?"),
            ("xyzzy", "'guestlog help' lists the commands"),
            ("token ls", "did you mean 'guestlog token list'?"),
            ("token rm x", "did you mean 'guestlog token revoke'?"),
            ("config validate", "did you mean 'guestlog config check'?"), ("vms --json", "use -o json"),
            ("token xyzzy", "'guestlog help token' lists the commands"),
            ("logs web --follow=maybe", "--follow=maybe: must be true or false"),
            ("logs web --list-boots", "'guestlog boots VM'"), ("logs web -k", "_TRANSPORT=kernel"),
            ("logs web -fe", "use -n"), ("logs web -20f", "use -n"),
            ("logs web --json", "use -o json"), ("logs web --limit=5", "use -n"), ("logs web --end now", "use --until"),
            ("logs web --level err", "use --severity"), ("logs web --no-color", "use --color never"),
            ("logs web --details", "-o json shows"), ("logs web --boot=first", "1 for the oldest"),
            ("logs web -bfirst", "1 for the oldest"), ("logs web -b=previous", "-1 for the one before"),
            ("logs web -b \(String(repeating: "0", count: 32))", "a boot is given by its number"),
            ("logs web -b99999999999999999999", "a boot is given by its number"),
            // Before it says that no VM is named.
            ("logs --rotate", "unknown option --rotate; 'guestlog logs --help' lists the options"),
            ("logs --sicne 1h", "did you mean --since?"), ("logs web -fz20", "unknown option -z"),
            ("token add --vms x", "did you mean --vm?"),
            ("wait web --More--", "what follows -- is none"),
        ]
    )
    func refused(_ line: String, _ remedy: String) {
        let error = #expect(throws: CommandLineError.self) { try Self.rewritten(line) }
        #expect(error?.description.contains(remedy) == true, "\(error?.description ?? "")")
    }
}
