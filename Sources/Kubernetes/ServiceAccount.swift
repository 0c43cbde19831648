// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import SystemIO

/// The service account of the pod in which this program runs
/// (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
enum ServiceAccount {
    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The access of the pod; nil outside of pods.
    static func access() throws(KubernetesError) -> ClusterAccess? {
        guard let host = Environment["KUBERNETES_SERVICE_HOST"], let port = Environment["KUBERNETES_SERVICE_PORT"],
            Glibc.access(folder + "/token", R_OK) == 0
        else {
            return nil
        }
        guard let endpoint = HTTPEndpoint("https://" + (host.contains(":") ? "[\(host)]" : host) + ":" + port) else {
            throw KubernetesError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no server")
        }
        var settings = HTTPClient.Settings()
        settings.tls.authorities = .file(folder + "/ca.crt")
        settings.bearerToken = token(in: folder + "/token")
        let namespace = try? String(decoding: Kubeconfig.contents(of: folder + "/namespace"), as: UTF8.self)
        return ClusterAccess(endpoint: endpoint, settings: settings, namespace: namespace ?? "default")
    }

    /// The token in `file`, read for each request: the kubelet renews it.
    static func token(in file: String) -> @Sendable () throws -> String? {
        {
            do throws(SystemError) {
                return try SecretFile.token(in: file)
            } catch {
                throw KubernetesError("the token in \(file) cannot be read: \(error.reason)")
            }
        }
    }
}
