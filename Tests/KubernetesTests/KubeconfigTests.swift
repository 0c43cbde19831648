// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import TestSupport
import TestTraits
import Testing

@testable import Kubernetes

@Suite("kubectl's configuration", .blocking)
struct KubeconfigTests {
    private static let text = """
        apiVersion: v1
        kind: Config
        current-context: main
        contexts:
          - name: main
            context: {cluster: one, user: alice, namespace: shop}
          - name: plain
            context: {cluster: two}
        clusters:
          - name: one
            cluster: {server: 'https://one.example:6443/k8s/', certificate-authority: ca.crt, tls-server-name: kubernetes}
          - name: two
            cluster: {server: 'http://[::1]:8001', insecure-skip-tls-verify: true}
        users:
          - name: alice
            user: {token: "123", as: bob, as-groups: [ops, dev]}
        """

    /// Whoever runs the tests may have set variables.
    private static var noProxy: ProxyVariables { ProxyVariables { _ in nil } }

    private func access(_ text: String = text, context: String? = nil) throws(KubernetesError) -> ClusterAccess {
        var configuration = try Kubeconfig(files: [])
        try configuration.add(text, file: "/home/alice/.kube/config")
        var options = ClusterAccess.Options()
        options.context = context
        return try ClusterAccess(configuration, options, proxies: Self.noProxy)
    }

    private func error(_ text: String, context: String? = nil) -> String? {
        do {
            _ = try access(text, context: context)
            return nil
        } catch {
            return error.description
        }
    }

    @Test(
        "the current context names the server, the user and the namespace; relative paths start from the file's folder"
    )
    func context() throws {
        let access = try access()
        #expect(access.endpoint.description == "https://one.example:6443/k8s")
        #expect(access.namespace == "shop")
        #expect(access.settings.tls.authorities == .file("/home/alice/.kube/ca.crt"))
        #expect(access.settings.tls.serverName == "kubernetes" && !access.settings.tls.isUnverified)
        #expect(try access.settings.bearerToken?() == "123")
        #expect(
            access.settings.headers.map { $0.name + "=" + $0.value } == [
                "Impersonate-User=bob", "Impersonate-Group=ops", "Impersonate-Group=dev",
            ]
        )
    }

    @Test(
        "the environment names a proxy, and the hosts that are reached without it, as for kubectl",
        arguments: [
            (["HTTPS_PROXY": "http://u:p@proxy:3128"], "https://k8s.corp:6443", "http://proxy:3128"),
            (["https_proxy": "proxy:3128"], "https://k8s.corp", "http://proxy:3128"),
            (["HTTP_PROXY": "http://proxy"], "https://k8s.corp", nil),
            (["HTTP_PROXY": "http://proxy"], "http://k8s.corp", "http://proxy"),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "other,corp"], "https://k8s.corp", nil),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": ".k8s.corp"], "https://k8s.corp", "http://proxy"),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "*.corp"], "https://K8S.corp", nil),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "k8s.corp:443"], "https://k8s.corp:6443", "http://proxy"),
            (["HTTPS_PROXY": "http://proxy", "no_proxy": "x, k8s.corp:6443"], "https://k8s.corp:6443", nil),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "10.96.0.0/12"], "https://10.100.0.1", nil),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "10.96.0.0/12"], "https://10.112.0.1", "http://proxy"),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "fd00::/8,10.0.0.1"], "https://[fd00::1]", nil),
            (["HTTPS_PROXY": "http://proxy", "NO_PROXY": "*"], "https://k8s.corp", nil),
            (["HTTPS_PROXY": "http://proxy"], "https://127.0.0.1:6443", nil),
            (["HTTPS_PROXY": "http://proxy"], "https://localhost:6443", nil),
            (["HTTPS_PROXY": "http://proxy"], "https://[::1]:6443", nil),
        ] as [([String: String], String, String?)]
    )
    func proxy(variables: [String: String], server: String, proxy: String?) throws {
        var options = ClusterAccess.Options()
        options.server = server
        let access = try ClusterAccess(try Kubeconfig(files: []), options, proxies: ProxyVariables { variables[$0] })
        #expect(access.settings.proxy?.description == proxy)
    }

    @Test("proxy-url of a cluster takes precedence over the environment; proxies of other kinds are refused")
    func otherProxy() throws {
        func access(_ url: String, _ variables: [String: String]) throws -> ClusterAccess {
            var configuration = try Kubeconfig(files: [])
            let cluster = "{server: 'https://k8s.corp', proxy-url: '\(url)'}"
            let text = "clusters: [{name: c, cluster: \(cluster)}]\ncontexts: [{name: c, context: {cluster: c}}]"
            try configuration.add(text + "\ncurrent-context: c\n", file: "/config")
            return try ClusterAccess(configuration, ClusterAccess.Options(), proxies: ProxyVariables { variables[$0] })
        }
        let variables = ["HTTPS_PROXY": "http://env"]
        #expect(try access("http://own:8080", variables).settings.proxy?.description == "http://own:8080")
        #expect(try access("", variables).settings.proxy?.description == "http://env")
        let own = #expect(throws: KubernetesError.self) { try access("socks5://u:secret@own", variables) }
        #expect(own?.description.contains("proxy-url of the cluster must be http://HOST:PORT") == true)
        let other = #expect(throws: KubernetesError.self) { try access("", ["HTTPS_PROXY": "socks5://u:secret@x"]) }
        #expect(other?.description.hasPrefix("HTTPS_PROXY must be") == true)
        #expect(other?.description.contains("secret") == false)
    }

    @Test("requests are made as the user, groups, UID and extra fields that are set; options take precedence")
    func impersonation() throws {
        func fields(_ user: String, _ name: String? = nil, _ groups: [String] = []) throws -> [String] {
            var configuration = try Kubeconfig(files: [])
            let users = "users: [{name: u, user: \(user)}]\n"
            let contexts = "contexts: [{name: c, context: {user: u}}]\ncurrent-context: c\n"
            try configuration.add(users + contexts, file: "/config")
            var options = ClusterAccess.Options()
            options.server = "https://c"
            (options.impersonatedUser, options.impersonatedGroups) = (name, groups)
            let access = try ClusterAccess(configuration, options, proxies: Self.noProxy)
            return access.settings.headers.map { $0.name + "=" + $0.value }
        }
        #expect(
            try fields("{as: bob, as-uid: '7', as-user-extra: {reason/why: [a, b]}}") == [
                "Impersonate-User=bob", "Impersonate-Uid=7", "Impersonate-Extra-reason%2Fwhy=a",
                "Impersonate-Extra-reason%2Fwhy=b",
            ]
        )
        #expect(
            try fields("{as: bob, as-groups: [ops]}", "eve", ["x", "y"]) == [
                "Impersonate-User=eve", "Impersonate-Group=x", "Impersonate-Group=y",
            ]
        )
        #expect(throws: KubernetesError.self) { try fields("{}", nil, ["x"]) }
    }

    @Test("a byte order mark and a mark at the end are read over, as by kubectl")
    func marks() throws {
        #expect(try access("\u{feff}" + Self.text + "\n---\n").namespace == "shop")
    }

    @Test("another context is chosen by name")
    func otherContext() throws {
        let access = try access(context: "plain")
        #expect(access.endpoint.description == "http://[::1]:8001" && access.settings.tls.isUnverified)
        #expect(access.namespace == "default" && access.settings.bearerToken == nil)
    }

    @Test("of several files the first that names something decides")
    func merging() throws {
        var configuration = try Kubeconfig(files: [])
        try configuration.add(Self.text, file: "/a/config")
        try configuration.add(
            """
            current-context: plain
            clusters: [{name: one, cluster: {server: 'https://other'}}, {name: three, cluster: {server: 'https://three'}}]
            contexts: [{name: third, context: {cluster: three}}]
            """,
            file: "/b/config"
        )
        var options = ClusterAccess.Options()
        let first = try ClusterAccess(configuration, options, proxies: Self.noProxy)
        #expect(first.endpoint.description == "https://one.example:6443/k8s")
        options.context = "third"
        let third = try ClusterAccess(configuration, options, proxies: Self.noProxy)
        #expect(third.endpoint.description == "https://three")
    }

    @Test("certificates and keys in base 64 are decoded")
    func data() throws {
        let text = """
            current-context: c
            contexts: [{name: c, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: 'https://c', certificate-authority-data: Y2E=}}]
            users: [{name: u, user: {client-certificate-data: Y2VydA==, client-key-data: a2V5}}]
            """
        let tls = try access(text).settings.tls
        #expect(tls.authorities == .text("ca") && tls.certificate == .text("cert") && tls.key == .text("key"))
    }

    @Test(
        "what is wrong is named, and secrets are not shown",
        arguments: [
            ("current-context: x", "there is no context x"),
            ("[", "is not YAML"),
            ("text", "is not a mapping"),
            ("{}", "no API server is configured"),
            ("{current-context: a, contexts: [{name: a, context: {cluster: b}}]}", "the cluster b"),
            (
                "{current-context: a, contexts: [{name: a, context: {cluster: a}}], clusters: [{name: a, cluster: {server: x}}]}",
                "must be https://HOST:PORT"
            ),
            (
                """
                {current-context: a, contexts: [{name: a, context: {cluster: a, user: u}}], \
                clusters: [{name: a, cluster: {server: 'https://a'}}], users: [{name: u, user: {client-key-data: '%%'}}]}
                """, "client-key-data is not PEM in base 64"
            ),
            (
                """
                {current-context: a, contexts: [{name: a, context: {cluster: a, user: u}}], \
                clusters: [{name: a, cluster: {server: 'https://a'}}], users: [{name: u, user: {auth-provider: {}}}]}
                """, "use exec instead"
            ),
            (
                """
                {current-context: a, contexts: [{name: a, context: {cluster: a, user: u}}], \
                clusters: [{name: a, cluster: {server: 'https://a'}}], \
                users: [{name: u, user: {exec: {command: x, apiVersion: v0}}}]}
                """, "apiVersion v0"
            ),
        ]
    )
    func errors(text: String, words: String) throws {
        let message = try #require(error(text))
        #expect(message.contains(words), "\(message)")
    }

    @Test("a file that cannot be read is named")
    func unreadable() {
        let error = #expect(throws: KubernetesError.self) { try Kubeconfig(files: ["/nonexistent/config"]) }
        #expect(error?.description == "/nonexistent/config cannot be read: No such file or directory")
        let folder = #expect(throws: KubernetesError.self) { try Kubeconfig(files: ["/proc"]) }
        #expect(folder?.description == "/proc cannot be read: Is a directory")
    }

    @Test("in a pod requests are made with the pod's token, and as the options say")
    func serviceAccount() throws {
        let folder = TemporaryFolder()
        try ProgramFile.write("pod", to: folder.path + "/token")
        func access(_ options: ClusterAccess.Options, host: String? = "10.96.0.1") throws -> ClusterAccess? {
            try ServiceAccount.access(options, host: host, port: "443", folder: folder.path)
        }
        let plain = try #require(try access(ClusterAccess.Options()))
        #expect(try plain.settings.bearerToken?() == "pod")
        #expect(plain.settings.headers.isEmpty && !plain.settings.tls.isUnverified)
        var options = ClusterAccess.Options()
        (options.impersonatedUser, options.impersonatedGroups) = ("bob", ["ops"])
        (options.token, options.isUnverified) = ("own", true)
        let other = try #require(try access(options))
        #expect(try other.settings.bearerToken?() == "own")
        let fields = other.settings.headers.map { $0.name + "=" + $0.value }
        #expect(fields == ["Impersonate-User=bob", "Impersonate-Group=ops"] && other.settings.tls.isUnverified)
        options.impersonatedUser = nil
        #expect(throws: KubernetesError.self) { try access(options) }
        #expect(try access(options, host: nil) == nil)
    }

    @Test("a token that cannot be read names its file, the reason and the remedy")
    func unreadableToken() {
        let token = ServiceAccount.token(in: "/nonexistent/token")
        let error = #expect(throws: KubernetesError.self) { try token() }
        #expect(
            error?.description == "the token in /nonexistent/token cannot be read: "
                + "No such file or directory; create the file with the secret"
        )
    }
}

@Suite("Watched objects", .blocking)
struct WatchedObjectsTests {
    private func object(_ uid: String, version: Int) -> JSON {
        .object([
            ("metadata", .object([("uid", .string(uid)), ("resourceVersion", .string(String(version)))]))
        ])
    }

    private func event(_ type: String, _ object: JSON) -> JSON {
        .object([("type", .string(type)), ("object", object)])
    }

    @Test("events change the list, and each moves the version from which the watch continues")
    func events() {
        var watched = WatchedObjects()
        #expect(watched.version == nil)
        watched.replace(by: [object("a", version: 1)], version: "5")
        #expect(watched.apply(event: event("ADDED", object("b", version: 6))) == .changed)
        #expect(watched.apply(event: event("MODIFIED", object("a", version: 7))) == .changed)
        #expect(watched.apply(event: event("DELETED", object("b", version: 8))) == .changed)
        #expect(watched.version == "8" && watched.objects == ["a": object("a", version: 7)])
        #expect(watched.apply(event: event("BOOKMARK", object("", version: 20))) == .unchanged)
        #expect(watched.version == "20")
    }

    @Test("an error, as of a version that the server has forgotten, and what is no event, lead to a new list")
    func errors() {
        for event in [event("ERROR", .object([("code", .integer(410))])), .object([]), .null] {
            var watched = WatchedObjects()
            watched.replace(by: [], version: "1")
            #expect(watched.apply(event: event) == .list && watched.version == nil)
        }
    }

    @Test("objects that a new list does not have are gone")
    func relist() {
        var watched = WatchedObjects()
        watched.replace(by: [object("a", version: 1)], version: "1")
        watched.forget()
        #expect(watched.version == nil)
        watched.replace(by: [object("b", version: 2)], version: "2")
        #expect(watched.objects.keys.sorted() == ["b"])
    }
}
