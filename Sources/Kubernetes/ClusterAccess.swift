// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import SystemIO

/// Where an API server is, and how this user is authenticated.
public struct ClusterAccess: Sendable {
    let endpoint: HTTPEndpoint
    let settings: HTTPClient.Settings
    /// The credentials of a program, which expire.
    let exec: ExecCredential?
    /// The namespace of requests that name none.
    public let namespace: String

    /// What the command line says besides the configuration files.
    public struct Options: Sendable {
        /// The configuration file (`--kubeconfig`).
        public var file: String?
        /// The context (`--context`).
        public var context: String?
        /// The API server's URL (`--server`).
        public var server: String?
        /// A token (`--token`).
        public var token: String?
        /// The user that requests are made as (`--as`).
        public var impersonatedUser: String?
        /// The groups that they are made as (`--as-group`).
        public var impersonatedGroups: [String] = []
        /// Whether the server's certificate is not verified (`--insecure-skip-tls-verify`).
        public var isUnverified = false
        /// Whether a program that makes credentials may ask the user, where standard input is a terminal.
        public var mayAsk = false

        public init() {}
    }

    /// The access that the files and `options` describe. Without any file it is that of the pod in which this program
    /// runs.
    public init(_ options: Options = Options()) throws(KubernetesError) {
        let files = Kubeconfig.files(named: options.file)
        if files.isEmpty, options.server == nil, options.context == nil,
            let account = try ServiceAccount.access(options)
        {
            self = account
            return
        }
        try self.init(try Kubeconfig(files: files), options)
    }

    init(
        _ configuration: Kubeconfig,
        _ options: Options,
        proxies: ProxyVariables = ProxyVariables(),
        isTerminal: Bool = isatty(STDIN_FILENO) == 1
    ) throws(KubernetesError) {
        let context = try Self.context(options.context, in: configuration)
        let cluster = try Self.entry(context["cluster"]?.text, "cluster", in: configuration.clusters)
        let user = try Self.entry(context["user"]?.text, "user", in: configuration.users)
        guard let url = options.server ?? cluster?.value["server"]?.text else {
            throw KubernetesError(
                "no API server is configured; set one in ~/.kube/config, KUBECONFIG or --kubeconfig, or use --server"
            )
        }
        guard let endpoint = HTTPEndpoint(url) else {
            throw KubernetesError("the API server's URL \(url) must be https://HOST:PORT or http://HOST:PORT")
        }
        var settings = HTTPClient.Settings()
        try Self.verify(cluster, isUnverified: options.isUnverified, &settings)
        if let url = cluster?.value["proxy-url"]?.text, !url.isEmpty {
            settings.proxy = try ProxyVariables.endpoint(url, of: "proxy-url of the cluster")
        } else {
            settings.proxy = try proxies.proxy(for: endpoint)
        }
        let impersonation = try Self.impersonation(user?.value, options)
        settings.headers += impersonation
        var options = options
        options.mayAsk = options.mayAsk && isTerminal
        exec = try Self.authenticate(user, options, cluster, url, &settings)
        self.endpoint = endpoint
        self.settings = settings
        namespace = context["namespace"]?.text ?? "default"
    }

    init(endpoint: HTTPEndpoint, settings: HTTPClient.Settings, namespace: String) {
        self.endpoint = endpoint
        self.settings = settings
        self.namespace = namespace
        exec = nil
    }

    // MARK: - Parts of the configuration

    private static func context(_ named: String?, in configuration: Kubeconfig) throws(KubernetesError) -> JSON {
        guard let name = named ?? configuration.currentContext else {
            return .object([])
        }
        guard let entry = configuration.contexts[name] else {
            let known = configuration.contexts.keys.sorted().joined(separator: ", ")
            throw KubernetesError(
                "there is no context \(name) in \(configuration.files.joined(separator: ", ")); "
                    + (known.isEmpty ? "there is none at all" : "there are: \(known)")
            )
        }
        return entry.value
    }

    private static func entry(
        _ name: String?,
        _ kind: String,
        in entries: [String: Kubeconfig.Entry]
    ) throws(KubernetesError) -> Kubeconfig.Entry? {
        guard let name, !name.isEmpty else {
            return nil
        }
        guard let entry = entries[name] else {
            throw KubernetesError("the context names the \(kind) \(name), which the configuration does not have")
        }
        return entry
    }

    private static func verify(
        _ cluster: Kubeconfig.Entry?,
        isUnverified: Bool,
        _ settings: inout HTTPClient.Settings
    ) throws(KubernetesError) {
        settings.tls.isUnverified = isUnverified || cluster?.value["insecure-skip-tls-verify"]?.text == "true"
        settings.tls.serverName = cluster?.value["tls-server-name"]?.text
        settings.tls.authorities = try cluster.flatMap { cluster throws(KubernetesError) in
            try pem("certificate-authority", of: cluster)
        }
    }

    /// Sets the credentials; returns the program that makes them, if there is one.
    private static func authenticate(
        _ user: Kubeconfig.Entry?,
        _ options: Options,
        _ cluster: Kubeconfig.Entry?,
        _ url: String,
        _ settings: inout HTTPClient.Settings
    ) throws(KubernetesError) -> ExecCredential? {
        if let token = options.token {
            settings.bearerToken = { token }
            return nil
        }
        guard let user else {
            return nil
        }
        settings.tls.certificate = try pem("client-certificate", of: user)
        settings.tls.key = try pem("client-key", of: user)
        if let name = user.value["username"]?.text, let password = user.value["password"]?.text {
            settings.headers.append(("Authorization", HTTPEndpoint.basic(Array("\(name):\(password)".utf8))))
        }
        if let file = user.value["tokenFile"]?.text {
            settings.bearerToken = ServiceAccount.token(in: path(file, of: user))
        } else if let token = user.value["token"]?.text {
            settings.bearerToken = { token }
        } else if let value = user.value["exec"] {
            let description = try describe(cluster, url, isUnverified: settings.tls.isUnverified)
            let exec = try ExecCredential(
                value,
                folder: user.folder,
                cluster: description,
                mayAsk: options.mayAsk
            )
            let credentials = try exec.credentials()
            if let certificate = credentials.certificate, let key = credentials.key {
                (settings.tls.certificate, settings.tls.key) = (.text(certificate), .text(key))
            }
            settings.bearerToken = { try exec.credentials().token }
            return exec
        } else if user.value["auth-provider"] != nil {
            throw KubernetesError("the user has an auth-provider, which Kubernetes removed in 1.26; use exec instead")
        }
        return nil
    }

    /// The fields that have requests made as another user
    /// (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation).
    static func impersonation(
        _ user: JSON?,
        _ options: Options
    ) throws(KubernetesError) -> [(name: String, value: String)] {
        let groups =
            options.impersonatedGroups.isEmpty
            ? user?["as-groups"]?.elements?.compactMap(\.text) ?? [] : options.impersonatedGroups
        var fields = groups.map { (name: "Impersonate-Group", value: $0) }
        if let uid = user?["as-uid"]?.text {
            fields.append((name: "Impersonate-Uid", value: uid))
        }
        if case .object(let extra)? = user?["as-user-extra"] {
            for (key, values) in extra {
                let name = "Impersonate-Extra-" + PercentEncoding.uri.encode(key)
                fields += (values.elements ?? []).compactMap(\.text).map { (name: name, value: $0) }
            }
        }
        guard let name = options.impersonatedUser ?? user?["as"]?.text, !name.isEmpty else {
            guard fields.isEmpty else {
                throw KubernetesError("groups, a UID or extra fields are set for a user that is not: set it with --as")
            }
            return []
        }
        return [(name: "Impersonate-User", value: name)] + fields
    }

    /// The cluster at `url` as credential programs are told it (`spec.cluster` of an ExecCredential).
    private static func describe(
        _ cluster: Kubeconfig.Entry?,
        _ url: String,
        isUnverified: Bool
    ) throws(KubernetesError) -> JSON {
        var members: [(String, JSON)] = [("server", .string(url))]
        for name in ["tls-server-name", "proxy-url"] {
            if let text = cluster?.value[name]?.text, !text.isEmpty {
                members.append((name, .string(text)))
            }
        }
        if isUnverified {
            members.append(("insecure-skip-tls-verify", .bool(true)))
        }
        if let cluster, let authorities = try pem("certificate-authority", of: cluster) {
            var text: [UInt8] = []
            try bytes(of: authorities).withUnsafeBytes { Base64.append($0, to: &text) }
            members.append(("certificate-authority-data", .string(String(decoding: text, as: UTF8.self))))
        }
        let extensions = cluster?.value["extensions"]?.elements ?? []
        let own = extensions.first { $0["name"]?.text == "client.authentication.k8s.io/exec" }
        if let configuration = own?["extension"] {
            members.append(("config", configuration))
        }
        return .object(members)
    }

    private static func bytes(of source: PEMSource) throws(KubernetesError) -> [UInt8] {
        switch source {
        case .text(let text):
            return Array(text.utf8)
        case .file(let path):
            do throws(SystemError) {
                return try Kubeconfig.contents(of: path)
            } catch {
                throw KubernetesError("\(path) cannot be read: \(error.reason)")
            }
        }
    }

    /// The PEM text of an entry: `NAME-data`, in base 64, or the file `NAME`.
    private static func pem(_ name: String, of entry: Kubeconfig.Entry) throws(KubernetesError) -> PEMSource? {
        if let data = entry.value[name + "-data"]?.text, !data.isEmpty {
            let digits = data.utf8.filter { $0 > 0x20 }
            guard let bytes = Base64.decode(digits), let text = String(validating: bytes, as: UTF8.self) else {
                throw KubernetesError("\(name)-data is not PEM in base 64")
            }
            return .text(text)
        }
        return entry.value[name]?.text.flatMap { $0.isEmpty ? nil : .file(path($0, of: entry)) }
    }

    private static func path(_ path: String, of entry: Kubeconfig.Entry) -> String {
        path.hasPrefix("/") ? path : entry.folder + "/" + path
    }
}
