// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization
import SystemIO

/// Credentials that a program makes (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins),
/// kept until they expire.
final class ExecCredential: Sendable {
    /// What the program returned. Never shown.
    struct Credentials: Sendable {
        var token: String?
        /// PEM texts.
        var certificate: String?
        var key: String?
        /// When it expires; nil: it is valid for this run.
        var expires: Timestamp?
    }

    private let command: [String]
    private let version: String
    private let hint: String?
    private let cluster: JSON?
    /// Whether the program may ask the user, at the terminal.
    private let isInteractive: Bool
    private let current = Mutex<Credentials?>(nil)

    private static let versions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]
    /// Credentials are renewed this long before they expire, in microseconds: a request takes its time.
    private static let margin: Int64 = 10_000_000
    /// How long the program may take, in seconds: it may have to ask a server. A user who is asked has no limit.
    private static let limit = 60

    /// Reads `exec` of a user. The program's relative path starts from `folder`; `cluster` is described to it when it
    /// asks for that. `mayAsk`: it may ask the user, at the terminal that standard input is.
    init(
        _ exec: JSON,
        folder: String,
        cluster: JSON,
        mayAsk: Bool
    ) throws(KubernetesError) {
        guard let program = exec["command"]?.text, !program.isEmpty else {
            throw KubernetesError("exec of the user names no command")
        }
        version = exec["apiVersion"]?.text ?? ""
        guard Self.versions.contains(version) else {
            throw KubernetesError(
                "exec of the user has apiVersion \(version); use \(Self.versions.joined(separator: " or "))"
            )
        }
        hint = exec["installHint"]?.text
        self.cluster = exec["provideClusterInfo"]?.text == "true" ? cluster : nil
        isInteractive = try Self.isInteractive(exec, mayAsk: mayAsk)
        let isRelative = program.contains("/") && !program.hasPrefix("/")
        let path = isRelative ? folder + "/" + program : program
        let variables = (exec["env"]?.elements ?? []).compactMap { variable in
            variable["name"]?.text.map { $0 + "=" + (variable["value"]?.text ?? "") }
        }
        command =
            ["env"] + variables + ["KUBERNETES_EXEC_INFO=" + Self.info(version, self.cluster, isInteractive), path]
            + (exec["args"]?.elements?.compactMap(\.text) ?? [])
        self.program = path
    }

    private let program: String

    private static func isInteractive(_ exec: JSON, mayAsk: Bool) throws(KubernetesError) -> Bool {
        switch exec["interactiveMode"]?.text ?? "IfAvailable" {
        case "Never":
            return false
        case "IfAvailable":
            return mayAsk
        case "Always":
            guard mayAsk else {
                throw KubernetesError(
                    "the credential program \(exec["command"]?.text ?? "") asks the user (interactiveMode Always); only "
                        + "kubectl guestlog at a terminal lets it ask"
                )
            }
            return true
        case let mode:
            throw KubernetesError("exec of the user has interactiveMode \(mode); use Never, IfAvailable or Always")
        }
    }

    /// The credentials, from the program if there are none that are valid.
    func credentials() throws(KubernetesError) -> Credentials {
        try current.withLock { current throws(KubernetesError) in
            let now = Timestamp(microseconds: SystemClock().wallMicroseconds() + Self.margin)
            if let current, current.expires.map({ $0 > now }) ?? true {
                return current
            }
            let made = try make()
            current = made
            return made
        }
    }

    /// The server has refused the credentials: the next ones are made anew.
    func invalidate() {
        current.withLock { $0 = nil }
    }

    private func make() throws(KubernetesError) -> Credentials {
        let outcome: ChildProgram.Outcome
        do throws(SystemError) {
            outcome = try ChildProgram.run(
                command,
                sharesInput: isInteractive,
                limit: isInteractive ? nil : Self.limit
            )
        } catch {
            throw failure("\(error)")
        }
        guard outcome.status == 0 else {
            throw failure("it ended with status \(outcome.status)")
        }
        guard let answer = try? JSON(parsing: outcome.output), answer["kind"]?.text == "ExecCredential",
            let status = answer["status"]
        else {
            throw failure("it did not print an ExecCredential")
        }
        var made = Credentials()
        made.token = status["token"]?.text
        made.certificate = status["clientCertificateData"]?.text
        made.key = status["clientKeyData"]?.text
        made.expires = status["expirationTimestamp"]?.text.flatMap { Timestamp(rfc3339: $0.utf8) }
        guard made.token != nil || made.certificate != nil && made.key != nil else {
            throw failure("it printed neither a token nor a certificate with its key")
        }
        return made
    }

    private func failure(_ reason: String) -> KubernetesError {
        KubernetesError("the credential program \(program) failed: \(reason)" + (hint.map { "; \($0)" } ?? ""))
    }

    /// The description of the request, for the program.
    private static func info(_ version: String, _ cluster: JSON?, _ isInteractive: Bool) -> String {
        var spec: [(String, JSON)] = [("interactive", .bool(isInteractive))]
        if let cluster {
            spec.append(("cluster", cluster))
        }
        let info = JSON.object([
            ("kind", .string("ExecCredential")), ("apiVersion", .string(version)), ("spec", .object(spec)),
        ])
        return String(decoding: info.bytes, as: UTF8.self)
    }
}
