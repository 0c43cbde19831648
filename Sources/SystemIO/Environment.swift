// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The environment variables of this process.
public enum Environment {
    /// The value of the variable `name`; nil when it is not set, or empty: `HOME=` names no folder.
    public static subscript(name: String) -> String? {
        guard let value = getenv(name), value.pointee != 0 else {
            return nil
        }
        return String(cString: value)
    }

    /// All variables, each as `NAME=VALUE`.
    public static var all: [String] {
        var variables: [String] = []
        var next = environ
        while let variable = next.pointee {
            variables.append(String(cString: variable))
            next += 1
        }
        return variables
    }
}
