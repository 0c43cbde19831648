// SPDX-License-Identifier: Apache-2.0

/// A machine that does not boot when its VMM starts: it continues from a saved state, or as the target of a migration.
public enum ContinuedMachine {
    /// The options of QEMU, and of Cloud Hypervisor and crosvm. Firecracker gets a snapshot over its API.
    private static let options = ["-incoming", "--incoming", "-loadvm", "--loadvm", "--restore"].map { Array($0.utf8) }

    /// Whether a VMM with `word` in its command line has its machine continue.
    public static func isIndicated(by word: some Sequence<UInt8>) -> Bool {
        let name = Array(word.prefix { $0 != UInt8(ascii: "=") })
        return options.contains(name)
    }
}
