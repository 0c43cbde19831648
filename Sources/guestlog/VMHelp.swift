// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The help of arguments that name VMs: the forms of `VMWord`.
enum VMHelp {
    private static let forms =
        "name (NAMESPACE/NAME), title, UUID, beginning of a UUID of at least 4 digits, or folder in the store"

    static let one = ArgumentHelp(stringLiteral: "The VM: its \(forms).")
    static let several = "The VMs, each by \(forms); or patterns: 'web*'."
}
