// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// A separate package, so that building Guestlog does not build the benchmarks. scripts/bench runs them;
// docs/performance.md has the results.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

func library(_ name: String) -> Target.Dependency {
    .product(name: name, package: "guestlog")
}

let package = Package(
    name: "guestlog-benchmarks",
    dependencies: [
        .package(name: "guestlog", path: "..")
    ],
    targets: [
        .executableTarget(
            name: "guestlog-bench",
            dependencies: [
                "LogModel", "SystemIO", "LogStore", "Capture", "ConsoleHub", "Query", "TextFormats", "Transforms",
            ].map(library),
            swiftSettings: settings
        )
    ]
)
