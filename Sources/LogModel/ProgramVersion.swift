// SPDX-License-Identifier: Apache-2.0

/// The version of all programs of the project: the newest heading of CHANGELOG.md.
public enum ProgramVersion {
    public static let current = "0.1.0"
}
