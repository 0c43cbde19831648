// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import SystemIO
import TestTraits
import Testing

@testable import guestlog

@Suite(.blocking) struct BashCompletionTests {
    /// What bash offers at the end of a line of these words, as it divides them, and the options that it sets.
    private func offered(
        _ words: String...,
        names: String = "only\\nlab/db\\n"
    ) throws -> (words: [String], options: [String]) {
        let folder = "/tmp/guestlog-completion-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        mkdir(folder, 0o700)
        mkdir(folder + "/only", 0o700)
        defer {
            for name in ["script", "out"] {
                unlink(folder + "/" + name)
            }
            rmdir(folder + "/only")
            rmdir(folder)
        }
        let script = """
            cd \(folder)
            guestlog() { [[ "$\(Completions.quotingVariable)" = 1 ]] && printf '\(names)'; }
            compopt() { echo "option $*" >&3; }
            COMP_WORDS=(\(words.map { "'" + $0.replacing("'", with: "'\\''") + "'" }.joined(separator: " ")))
            COMP_CWORD=\(words.count - 1) COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
            word=${COMP_WORDS[COMP_CWORD]}
            _guestlog guestlog "${word#=}" "${COMP_WORDS[COMP_CWORD - 1]}"
            for word in "${COMPREPLY[@]}"; do echo "word $word" >&3; done
            """
        let out = open(folder + "/out", O_RDWR | O_CREAT, 0o600)
        defer { close(out) }
        let file = open(folder + "/script", O_WRONLY | O_CREAT, 0o600)
        let text = Array((BashCompletion.corrected(Guestlog.completionScript(for: .bash)) + "\n" + script).utf8)
        #expect(write(file, text, text.count) == text.count)
        close(file)
        let bash = try ChildProgram(["bash", "--norc", folder + "/script"], .copies([(number: Int32(3), of: out)]))
        #expect(bash.wait() == 0)
        let lines = ProcFile.text(folder + "/out").split(separator: "\n")
        func all(_ kind: String) -> [String] {
            lines.filter { $0.hasPrefix(kind + " ") }.map { String($0.dropFirst(kind.count + 1)) }
        }
        return (all("word"), all("option"))
    }

    @Test("VMs are offered by name, not as folders, by each command that takes one")
    func vms() throws {
        for command in ["logs", "boots", "wait", "console", "drop"] {
            let (words, options) = try offered("guestlog", command, "o")
            #expect(words == ["only"] && options.isEmpty, "\(command)")
        }
        #expect(try offered("guestlog", "console", "lab/").words == ["lab/db"])
        let script = BashCompletion.corrected(Guestlog.completionScript(for: .bash))
        #expect(script.contains("\ncomplete -F _guestlog guestlog"))
    }

    @Test("folders are offered as such where an option takes one")
    func folders() throws {
        let (words, options) = try offered("guestlog", "logs", "--store", "on")
        #expect(words == ["only"] && options == ["-o filenames"])
    }

    @Test("the value of an option is offered after a space and after the sign")
    func values() throws {
        #expect(try offered("guestlog", "logs", "web", "--severity", "e").words == ["emerg", "err"])
        #expect(try offered("guestlog", "logs", "web", "--severity", "=", "e").words == ["emerg", "err"])
        #expect(try offered("guestlog", "logs", "web", "--severity", "=").words.contains("notice"))
        #expect(try offered("guestlog", "logs", "web", "--output", "=", "j").words == ["json"])
        #expect(try offered("guestlog", "logs", "--store", "=", "on").words == ["only"])
        #expect(try offered("guestlog", "logs", "--severity", "=", "err", "o").words == ["only"])
    }

    @Test("names that a shell would divide or expand are offered quoted, as the word is that is typed")
    func quoted() throws {
        let names = #"sp ace\nit\047s\nü-vm\n$(touch pwned)\na:b\nsay "x"\nwow!\n"#
        func offered(_ word: String) throws -> [String] {
            try self.offered("guestlog", "logs", word, names: names).words
        }
        #expect(try offered("s") == [#"sp\ ace"#, #"say\ \"x\""#])
        #expect(try offered(#"sp\ a"#) == [#"sp\ ace"#])
        #expect(try offered("'sp a") == ["sp ace"])
        #expect(try offered("\"s") == ["sp ace"])
        #expect(try offered("'s") == ["sp ace", #"say "x""#])
        #expect(try offered("it") == [#"it\'s"#])
        #expect(try offered("\"it") == ["it's"])
        #expect(try offered("'it").isEmpty)
        #expect(try offered("w") == [#"wow\!"#])
        #expect(try offered("'w") == ["wow!"])
        #expect(try offered("\"w").isEmpty)
        #expect(try offered("a") == [#"a\:b"#])
        #expect(try offered("$") == [#"\$\(touch\ pwned\)"#])
        #expect(try ["ü-vm", #"$'\303\274-vm'"#].contains(offered("ü").first))
    }

    @Test("help offers the commands")
    func help() throws {
        #expect(try offered("guestlog", "help", "lo").words == ["logs"])
    }
}
