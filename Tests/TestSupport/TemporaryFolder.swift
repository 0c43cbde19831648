// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A test's own folder, removed with its contents when the object is deinitialized.
public final class TemporaryFolder: Sendable {
    public let path: String
    /// Tests that run beside each other have more open files than the usual limit of a shell.
    private static let descriptorLimit = DescriptorLimit.raise()

    public init(parent: String = "/tmp") {
        _ = Self.descriptorLimit
        var template = Array((parent + "/guestlog-test-XXXXXX").utf8CString)
        guard let made = mkdtemp(&template) else {
            preconditionFailure("cannot make a folder in \(parent): \(String(cString: strerror(errno)))")
        }
        path = String(cString: made)
    }

    deinit {
        Self.remove(path)
    }

    private static func remove(_ path: String) {
        if let stream = opendir(path) {
            while let entry = readdir(stream) {
                let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard name != ".", name != ".." else {
                    continue
                }
                if entry.pointee.d_type == DT_DIR {
                    remove(path + "/" + name)
                } else {
                    unlink(path + "/" + name)
                }
            }
            closedir(stream)
        }
        rmdir(path)
    }
}
