// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import Testing

/// An initrd of the test guest to which programs of this build are added, with the libraries they need, and a script
/// that runs them.
struct AgentInitrd {
    let path: String

    /// An initrd in `folder` with `programs`, whose `script` the guest's init runs. In it, `run PROGRAM` runs one of them.
    init(_ programs: [String], script: String, in folder: String) {
        path = folder + "/agent-initrd"
        let tree = folder + "/initrd-tree"
        FileText.write(
            """
            #!/bin/busybox sh
            run() { program=$1; shift; LD_LIBRARY_PATH=/extra/lib /extra/$program "$@"; }
            \(script)
            """,
            to: folder + "/run"
        )
        let make = """
            mkdir -p '\(tree)/extra/lib'
            install -m 755 '\(folder)/run' '\(tree)/extra/run'
            for program in \(programs.map { "'" + Program.built($0) + "'" }.joined(separator: " ")); do
                cp "$program" '\(tree)/extra/'
                strip '\(tree)/extra/'"${program##*/}"
                ldd "$program" | awk '$2 == "=>" { print $3 } $1 ~ /^\\// { print $1 }' | while read -r library; do
                    case $library in
                    *ld-linux*) install -D "$library" '\(tree)'"$library" ;;
                    *) cp -L "$library" '\(tree)/extra/lib/' ;;
                    esac
                done
            done
            (cd '\(tree)' && find . | cpio -o -H newc --quiet) | gzip -1 >'\(folder)/more.gz'
            cat '\(GuestImage.folder ?? "")/initrd.gz' '\(folder)/more.gz' >'\(path)'
            rm -rf '\(tree)'
            """
        let shell = ChildProcess(["sh", "-euc", make], name: "initrd", in: folder)
        #expect(shell.wait() == 0, "\(shell.standardError)")
    }
}
