// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The maximum number of open descriptors of this process (RLIMIT_NOFILE, getrlimit(2)).
public enum DescriptorLimit {
    public static var current: Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return Int(clamping: limit.rlim_cur)
    }

    /// Raises the limit to `number` if it is lower. Throws EMFILE when this process may not.
    public static func require(_ number: Int) throws(SystemError) {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur < number else {
            return
        }
        limit.rlim_cur = min(limit.rlim_max, rlim_t(number))
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        guard limit.rlim_cur >= number else {
            let remedy = "raise it with ulimit -n or LimitNOFILE="
            let reason = "the limit is \(limit.rlim_cur), and \(number) are needed; \(remedy)"
            throw SystemError("open files", code: EMFILE, reason: reason)
        }
    }

    /// Raises the limit as far as this process may; returns the new limit.
    @discardableResult
    public static func raise() -> Int {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        return current
    }
}
