// SPDX-License-Identifier: Apache-2.0

import ArgumentParser

/// The option of both daemons with which a running one asks the program that is to replace it (`ReplacementCheck`).
struct CheckOption: ParsableArguments {
    @Flag(
        help: """
            Check the configuration, the access to the store and the runtime folder, and the socket's path; the exit status \
            is 0 if the daemon could start.
            """
    )
    var checkConfig = false
}
