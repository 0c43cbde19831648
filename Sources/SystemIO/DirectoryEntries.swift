// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The entries of an open directory.
enum DirectoryEntries {
    /// Calls `body` with the name of each entry but `.` and `..`. Throws when the directory cannot be read to its end:
    /// `body` may have had some of the names by then. `path` is named in the error.
    static func forEachName(
        in stream: OpaquePointer,
        _ path: String,
        _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) throws(SystemError) {
        while true {
            // readdir returns nil at the end and after an error; only errno tells them apart.
            errno = 0
            guard let entry = readdir(stream) else {
                guard errno == 0 else {
                    throw SystemError("read the directory", path)
                }
                return
            }
            withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                let name = bytes.prefix { $0 != 0 }
                guard !name.elementsEqual(".".utf8), !name.elementsEqual("..".utf8) else {
                    return
                }
                UnsafeRawBufferPointer(rebasing: name).withMemoryRebound(to: UInt8.self, body)
            }
        }
    }
}
