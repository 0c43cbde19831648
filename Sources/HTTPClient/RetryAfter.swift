// SPDX-License-Identifier: Apache-2.0

public import LogModel
import TextFormats

/// The field `Retry-After` (RFC 9110, section 10.2.3).
public enum RetryAfter {
    /// The delay that `value` asks for, seconds or a date; nil when it is malformed, or a date that has passed.
    public static func delay(_ value: String, now: Timestamp) -> Duration? {
        if let seconds = Int64(value), seconds >= 0 {
            return .seconds(min(seconds, 86_400))
        }
        // Sun, 06 Nov 1994 08:49:37 GMT
        guard value.hasSuffix(" GMT"), let date = try? TimeWords.parse(value, now: now, zone: .utc).first else {
            return nil
        }
        let delay = date.microseconds - now.microseconds
        return delay > 0 ? .microseconds(delay) : nil
    }
}
