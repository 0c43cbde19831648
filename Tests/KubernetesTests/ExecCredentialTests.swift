// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Kubernetes

@Suite("Credentials that a program makes", .blocking)
struct ExecCredentialTests {
    private let folder = TemporaryFolder()

    private func credential(
        _ script: String,
        mode: String = "Never",
        mayAsk: Bool = false
    ) throws -> ExecCredential {
        try ProgramFile.write("#!/bin/sh\n" + script + "\n", to: folder.path + "/program")
        let exec = try JSON(
            parsing: """
                {"apiVersion":"client.authentication.k8s.io/v1","command":"./program","interactiveMode":"\(mode)",
                 "args":["a b"],"env":[{"name":"X","value":"y"}],
                 "installHint":"install it","provideClusterInfo":"true"}
                """.utf8
        )
        let cluster = JSON.object([("server", .string("https://c"))])
        return try ExecCredential(exec, folder: folder.path, cluster: cluster, mayAsk: mayAsk)
    }

    private func answer(_ status: String) -> String {
        "echo run >>\(folder.path)/runs; echo '{\"kind\":\"ExecCredential\",\"status\":{\(status)}}'"
    }

    private var runs: Int {
        get throws {
            var count = 0
            let file = fopen(folder.path + "/runs", "r")
            defer { if file != nil { fclose(file) } }
            while let file, fgetc(file) != EOF {
                count += 1
            }
            return count / 4
        }
    }

    @Test("the program gets its arguments, its environment and the cluster, and its token is kept")
    func token() throws {
        let check = "case \"$1 $X $KUBERNETES_EXEC_INFO\" in 'a b y {'*https://c*) ;; *) exit 9;; esac\n"
        let credential = try credential(check + answer(#""token":"t""#))
        #expect(try credential.credentials().token == "t")
        #expect(try credential.credentials().token == "t")
        #expect(try runs == 1)
        credential.invalidate()
        #expect(try credential.credentials().token == "t")
        #expect(try runs == 2)
    }

    @Test("credentials that have expired, or soon will, are made anew")
    func expiry() throws {
        let expired = try credential(answer(#""token":"t","expirationTimestamp":"2020-01-01T00:00:00Z""#))
        _ = try expired.credentials()
        _ = try expired.credentials()
        #expect(try runs == 2)
        let valid = try credential(answer(#""token":"t","expirationTimestamp":"2999-01-01T00:00:00Z""#))
        _ = try valid.credentials()
        _ = try valid.credentials()
        #expect(try runs == 3)
    }

    @Test(
        "a program that fails is named, with the hint for installing it, and nothing of its output",
        arguments: [
            ("exit 3", "status 3"), ("echo secret", "ExecCredential"),
            ("echo '{\"kind\":\"ExecCredential\",\"status\":{}}'", "neither a token"),
        ]
    )
    func failure(script: String, words: String) throws {
        let credential = try credential(script)
        let error = #expect(throws: KubernetesError.self) { try credential.credentials() }
        let message = try #require(error?.description)
        #expect(message.contains(words) && message.hasSuffix("; install it") && !message.contains("secret"))
    }

    @Test("a program that may ask the user has this process's standard input, where that is a terminal")
    func interactive() throws {
        // What it would be asked at is told by its link in /proc.
        let own = ProcFile.target(ofLink: "/proc/self/fd/0") ?? ""
        let words = #""$KUBERNETES_EXEC_INFO" "$(readlink /proc/self/fd/0)""#
        let script = "printf '%s %s\\n' \(words) >\(folder.path)/said\n"
        func tell(_ mode: String, _ mayAsk: Bool) throws -> String {
            let credential = try credential(script + answer(#""token":"t""#), mode: mode, mayAsk: mayAsk)
            _ = try credential.credentials()
            return String(decoding: try Kubeconfig.contents(of: folder.path + "/said"), as: UTF8.self)
        }
        for (mode, mayAsk) in [("Never", true), ("IfAvailable", false)] {
            let said = try tell(mode, mayAsk)
            #expect(said.contains(#""interactive":false"#) && !said.hasSuffix(" \(own)\n"), "\(mode): \(said)")
        }
        for mode in ["IfAvailable", "Always"] {
            let said = try tell(mode, true)
            #expect(said.contains(#""interactive":true"#) && said.hasSuffix(" \(own)\n"), "\(mode): \(said)")
        }
        let error = #expect(throws: KubernetesError.self) { try tell("Always", false) }
        #expect(error?.description.contains("only kubectl guestlog at a terminal") == true)
        let unknown = #expect(throws: KubernetesError.self) { try tell("Sometimes", true) }
        #expect(unknown?.description.contains("interactiveMode Sometimes") == true)
    }

    @Test("a program may ask the user only for a caller that permits it, and at a terminal")
    func permission() throws {
        try ProgramFile.write("#!/bin/sh\n" + answer(#""token":"t""#) + "\n", to: folder.path + "/program")
        func token(mayAsk: Bool, isTerminal: Bool) throws -> String? {
            var configuration = try Kubeconfig(files: [])
            let exec =
                "{apiVersion: client.authentication.k8s.io/v1, command: \(folder.path)/program, interactiveMode: Always}"
            let text = "users: [{name: u, user: {exec: \(exec)}}]\ncontexts: [{name: c, context: {user: u}}]\n"
            try configuration.add(text + "current-context: c\n", file: folder.path + "/config")
            var options = ClusterAccess.Options()
            (options.server, options.mayAsk) = ("https://c", mayAsk)
            let proxies = ProxyVariables { _ in nil }
            let access = try ClusterAccess(configuration, options, proxies: proxies, isTerminal: isTerminal)
            return try access.settings.bearerToken?()
        }
        #expect(throws: KubernetesError.self) { try token(mayAsk: false, isTerminal: true) }
        #expect(throws: KubernetesError.self) { try token(mayAsk: true, isTerminal: false) }
        #expect(try token(mayAsk: true, isTerminal: true) == "t")
    }

    @Test("a program is told the cluster with the contents of its CA, with flags as such, and its own configuration")
    func cluster() throws {
        try ProgramFile.write(
            "#!/bin/sh\nprintf %s \"$KUBERNETES_EXEC_INFO\" >\(folder.path)/info\n" + answer(#""token":"t""#) + "\n",
            to: folder.path + "/program"
        )
        try ProgramFile.write("ca", to: folder.path + "/ca.crt")
        let text = """
            current-context: c
            contexts: [{name: c, context: {cluster: c, user: u}}]
            clusters:
              - name: c
                cluster:
                  server: https://c
                  insecure-skip-tls-verify: true
                  certificate-authority: ca.crt
                  extensions: [{name: client.authentication.k8s.io/exec, extension: {audience: x}}]
            users:
              - name: u
                user:
                  exec:
                    apiVersion: client.authentication.k8s.io/v1
                    command: ./program
                    interactiveMode: Never
                    provideClusterInfo: true
            """
        var configuration = try Kubeconfig(files: [])
        try configuration.add(text, file: folder.path + "/config")
        let access = try ClusterAccess(configuration, ClusterAccess.Options(), proxies: ProxyVariables { _ in nil })
        #expect(try access.settings.bearerToken?() == "t")
        let info = try JSON(parsing: try Kubeconfig.contents(of: folder.path + "/info"))
        let expected = JSON.object([
            ("server", .string("https://c")), ("insecure-skip-tls-verify", .bool(true)),
            ("certificate-authority-data", .string("Y2E=")), ("config", .object([("audience", .string("x"))])),
        ])
        #expect(info["spec"]?["cluster"] == expected, "\(info)")
    }
}
