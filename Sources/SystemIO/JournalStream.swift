// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The stream to the journal that systemd gives a service as its standard output and error.
public enum JournalStream {
    /// Whether `descriptor` is that stream, so that each line may begin with its level (sd-daemon(3)). `variable` is
    /// the value of JOURNAL_STREAM, `DEVICE:INODE` (systemd.exec(5)); programs that a service starts inherit it, also
    /// when their output goes elsewhere.
    public static func isConnected(
        to descriptor: Int32,
        variable: String? = Environment["JOURNAL_STREAM"]
    ) -> Bool {
        guard let numbers = variable?.split(separator: ":", omittingEmptySubsequences: false), numbers.count == 2,
            let device = UInt64(numbers[0]), let inode = UInt64(numbers[1])
        else {
            return false
        }
        let attributes = try? FileAttributes(of: descriptor)
        return attributes?.identity == FileIdentity(device: device, inode: inode)
    }
}
