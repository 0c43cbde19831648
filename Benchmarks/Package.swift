// swift-tools-version: 6.2
import PackageDescription

// The benchmarks are a package of their own, so that nobody who builds Guestlog builds them. scripts/bench runs them;
// docs/performance.md holds what they found.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

func room(_ name: String) -> Target.Dependency {
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
            dependencies: ["LogModel", "SystemIO", "LogStore", "Capture", "ConsoleHub", "Query"].map(room),
            swiftSettings: settings
        )
    ]
)
