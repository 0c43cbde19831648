// SPDX-License-Identifier: Apache-2.0

/// What to do when the response with a container's log has ended, or was refused.
///
/// The kubelet ends a response that follows a log when the container ends, and in some versions when it rotates the log;
/// proxies cut silent connections. So the state of the pod decides, not the end of the response.
public enum PodLogEnd: Hashable, Sendable {
    /// Request the rest, after a while unless lines have come since the last request.
    case resume
    /// Request the rest once more without following it: the container has ended.
    case readRest
    /// Nothing more will come.
    case stop
    /// Requesting again is of no use, for this reason.
    case fail(String)

    /// The outcome of a request.
    public enum Outcome: Hashable, Sendable {
        /// The response was read to its end.
        case ended
        /// The connection failed.
        case cut
        /// The API server refused, with that HTTP status and message.
        case refused(Int, String)
    }

    /// Decides for a followed log by the outcome of the request and the pod as it is now; nil: it is gone. `isRest`: the
    /// request was for the rest of an ended container's log.
    public init(_ outcome: Outcome, pod: LauncherPod?, isRest: Bool) {
        switch outcome {
        case .ended where isRest:
            self = .stop
        case .refused(401, let message), .refused(403, let message):
            self = .fail(message)
        case .refused(404, _) where pod == nil:
            self = .stop
        case .ended, .cut, .refused:
            guard let pod else {
                self = .stop
                return
            }
            self = pod.log == .ended || pod.hasEnded ? .readRest : .resume
        }
    }
}
