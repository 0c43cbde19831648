// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// libFuzzer over the targets in Tests/FuzzTargets: a separate package, because all code is built with its
// instrumentation. scripts/fuzz builds and runs it.

let package = Package(
    name: "guestlog-fuzz",
    dependencies: [
        .package(name: "guestlog", path: "..")
    ],
    targets: [
        .executableTarget(
            name: "guestlog-fuzz",
            dependencies: [.product(name: "FuzzTargets", package: "guestlog")],
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]
        )
    ]
)
