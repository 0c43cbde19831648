// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import LogModel
import SystemIO

/// The service account of the pod in which this program runs
/// (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/).
enum ServiceAccount {
    private static let folder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// The access of the pod, with the user that `options` name instead of the pod's, if they do; nil outside of pods.
    static func access(
        _ options: ClusterAccess.Options,
        host: String? = Environment["KUBERNETES_SERVICE_HOST"],
        port: String? = Environment["KUBERNETES_SERVICE_PORT"],
        folder: String = folder
    ) throws(KubernetesError) -> ClusterAccess? {
        guard let host, let port, Glibc.access(folder + "/token", R_OK) == 0 else {
            return nil
        }
        guard let endpoint = HTTPEndpoint("https://" + (host.contains(":") ? "[\(host)]" : host) + ":" + port) else {
            throw KubernetesError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT name no server")
        }
        var settings = HTTPClient.Settings()
        settings.tls.authorities = .file(folder + "/ca.crt")
        settings.tls.isUnverified = options.isUnverified
        if let token = options.token {
            settings.bearerToken = { token }
        } else {
            settings.bearerToken = token(in: folder + "/token")
        }
        settings.headers += try ClusterAccess.impersonation(nil, options)
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
