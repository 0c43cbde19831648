// SPDX-License-Identifier: Apache-2.0

// Kubernetes: a client of the Kubernetes API, for what kubectl's plug-ins and pods need of it.
//
//     KubernetesClient       GET, lists, watches and logs                                              begin here
//     ClusterAccess          where the API server is and how this user is authenticated
//       Kubeconfig           from kubectl's configuration files (client.config v1): contexts, clusters, users
//       ServiceAccount       from the files that every pod has
//       ProxyVariables       through a proxy that environment variables name
//       ExecCredential       from a program, as the configuration names one (client.authentication.k8s.io/v1)
//     WatchedObjects         what a watch has reported so far; a state machine without I/O
//
// Invariants:
// 1. Secrets (tokens, keys, passwords) appear in no message.
// 2. An error says what was requested and what the server said: the `message` of its Status.
// 3. A watch that ends continues where it was; when the server has forgotten that (410), everything is listed again.

/// Why the API server could not be asked, or what it answered.
public struct KubernetesError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The HTTP status; nil when there was no answer, or the configuration cannot be used.
    public var status: Int?
    public var description: String

    public init(status: Int? = nil, _ description: String) {
        self.status = status
        self.description = description
    }
}
