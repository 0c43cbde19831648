// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// The module graph. The targets up to `Query` depend neither on NIO nor on Foundation; only `HTTPClient`, `HTTPAPI` and the
// targets that depend on them do.

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

func target(_ name: String, dependencies: [Target.Dependency] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: settings)
}

func tests(of name: String, dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(
        name: name + "Tests",
        dependencies: [.target(name: name), "TestTraits"] + dependencies,
        swiftSettings: settings
    )
}

let client: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
    .product(name: "NIOHTTP1", package: "swift-nio"),
]

let nio = client + [.product(name: "NIOWebSocket", package: "swift-nio")]

let package = Package(
    name: "guestlog",
    products: [
        .executable(name: "guestlog", targets: ["guestlog"]),
        .executable(name: "virt-tail", targets: ["virt-tail"]),
        .executable(name: "guestlog-agent", targets: ["guestlog-agent"]),
        .library(name: "LogStore", targets: ["LogStore"]),
        // For the separate package Benchmarks/.
        .library(name: "LogModel", targets: ["LogModel"]),
        .library(name: "SystemIO", targets: ["SystemIO"]),
        .library(name: "Capture", targets: ["Capture"]),
        .library(name: "ConsoleHub", targets: ["ConsoleHub"]),
        .library(name: "Query", targets: ["Query"]),
        .library(name: "TextFormats", targets: ["TextFormats"]),
        .library(name: "Transforms", targets: ["Transforms"]),
        // For the separate package Fuzz/.
        .library(name: "FuzzTargets", targets: ["FuzzTargets"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.0"),
    ],
    targets: [
        .target(name: "CBytes"),
        .target(name: "CLinux"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),

        target("LogModel"),
        target("TextFormats", dependencies: ["CBytes", "LogModel"]),
        target("Transforms", dependencies: ["LogModel", "TextFormats"]),
        target("SystemIO", dependencies: ["CLinux"]),
        target("Libvirt", dependencies: ["LogModel", "SystemIO"]),
        target("KubeVirt", dependencies: ["LogModel", "Libvirt"]),
        target("RotatingFile", dependencies: ["CBytes", "CLinux", "LogModel", "SystemIO"]),
        target("LogStore", dependencies: ["CBytes", "CZstd", "LogModel", "SystemIO"]),
        target(
            "Capture",
            dependencies: ["CBytes", "CLinux", "LogModel", "TextFormats", "SystemIO", "RotatingFile", "LogStore"]
        ),
        target("ConsoleHub", dependencies: ["CLinux", "LogModel", "SystemIO", "RotatingFile", "Capture"]),
        target(
            "VirtLogManager",
            dependencies: ["CLinux", "LogModel", "SystemIO", "Libvirt", "RotatingFile", "Capture"]
        ),
        target("GuestChannel", dependencies: ["CBytes", "LogModel", "TextFormats"]),
        target(
            "GuestCollector",
            dependencies: ["LogModel", "TextFormats", "SystemIO", "LogStore", "Capture", "GuestChannel"]
        ),
        target("Query", dependencies: ["CPCRE2", "CBytes", "LogModel", "SystemIO", "LogStore", "TextFormats"]),
        target("Gzip", dependencies: ["CZlib"]),
        target(
            "HTTPClient",
            dependencies: [
                "CLinux", "LogModel", "TextFormats", .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + client
        ),
        target(
            "RuntimeSources",
            dependencies: [
                "CBytes", "LogModel", "TextFormats", "SystemIO", "RotatingFile", "LogStore", "Capture", "Transforms",
                "Gzip",
            ]
        ),
        target(
            "Kubernetes",
            dependencies: [
                "LogModel", "SystemIO", "HTTPClient", .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        target(
            "Outputs",
            dependencies: [
                "CBytes", "LogModel", "TextFormats", "SystemIO", "LogStore", "Query", "Gzip", "HTTPClient",
            ] + client
        ),
        target(
            "HTTPAPI",
            dependencies: [
                "CBytes", "CLinux", "LogModel", "TextFormats", "SystemIO", "RotatingFile", "LogStore", "Capture",
                "ConsoleHub", "Query", "Libvirt", "KubeVirt", .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + nio
        ),
        target(
            "GuestlogService",
            dependencies: [
                "CBytes", "CLinux", "LogModel", "TextFormats", "SystemIO", "RotatingFile", "LogStore", "Capture",
                "ConsoleHub", "VirtLogManager", "Query", "HTTPAPI", "Libvirt", "Transforms", "RuntimeSources",
                "GuestCollector", "HTTPClient", "Outputs", "KubeVirt", "Kubernetes",
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        .executableTarget(
            name: "guestlog",
            dependencies: [
                "LogModel", "SystemIO", "LogStore", "Capture", "Query", "TextFormats", "Transforms", "RuntimeSources",
                "Libvirt", "KubeVirt", "HTTPClient", "Kubernetes", "Outputs", "HTTPAPI", "GuestlogService",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "virt-tail",
            dependencies: ["LogModel", "TextFormats", "SystemIO", "RotatingFile"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "guestlog-agent",
            dependencies: ["LogModel", "TextFormats", "SystemIO", "GuestChannel"],
            swiftSettings: settings
        ),

        .target(
            name: "TestSupport",
            dependencies: ["LogModel", "LogStore", "SystemIO"],
            path: "Tests/TestSupport",
            swiftSettings: settings
        ),
        .target(
            name: "TestServers",
            dependencies: ["LogModel", "Gzip", .product(name: "NIOSSL", package: "swift-nio-ssl")] + client,
            path: "Tests/TestServers",
            swiftSettings: settings
        ),
        .target(
            name: "TestTraits",
            dependencies: ["SystemIO"],
            path: "Tests/TestTraits",
            swiftSettings: settings
        ),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "LogModel", "TextFormats", "SystemIO", "Libvirt", "KubeVirt", "LogStore", "Capture",
                "VirtLogManager", "Query", "Transforms", "RotatingFile", "GuestChannel", "GuestCollector", "Gzip",
                "HTTPClient", "Outputs", "RuntimeSources",
            ],
            path: "Tests/FuzzTargets",
            swiftSettings: settings
        ),
        .testTarget(
            name: "FuzzTests",
            dependencies: ["FuzzTargets", "TestSupport", "TestTraits", "LogModel", "SystemIO"],
            exclude: ["Corpus"],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "CrashDaemon",
            dependencies: ["TestSupport", "LogModel", "LogStore", "SystemIO", "Capture", "ConsoleHub"],
            path: "Tests/CrashDaemon",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "RecordFeeder",
            dependencies: ["TestSupport", "LogModel", "LogStore", "SystemIO", "Capture"],
            path: "Tests/RecordFeeder",
            swiftSettings: settings
        ),
        tests(
            of: "Capture",
            dependencies: ["TestSupport", "LogModel", "LogStore", "SystemIO", "ConsoleHub", "CrashDaemon"]
        ),
        tests(of: "CBytes", dependencies: ["TestSupport"]),
        tests(of: "LogModel", dependencies: ["TestSupport"]),
        tests(of: "SystemIO", dependencies: ["CLinux", "TestSupport"]),
        tests(of: "RotatingFile", dependencies: ["TestSupport", "SystemIO"]),
        .testTarget(
            name: "VirtTailTests",
            dependencies: [
                "virt-tail", "TestSupport", "TestTraits", "LogModel", "SystemIO", "RotatingFile",
            ],
            swiftSettings: settings
        ),
        tests(
            of: "HTTPAPI",
            dependencies: [
                "TestSupport", "LogModel", "LogStore", "Capture", "ConsoleHub", "Query", "SystemIO", "KubeVirt",
                "CLinux", "Libvirt",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOWebSocket", package: "swift-nio"),
            ]
        ),
        tests(
            of: "GuestlogService",
            dependencies: [
                "CLinux", "TestSupport", "LogModel", "LogStore", "Capture", "ConsoleHub", "RotatingFile", "SystemIO",
                "Libvirt", "RuntimeSources", "TextFormats", "Transforms", "Outputs", "Query", "KubeVirt",
                "VirtLogManager",
            ]
        ),
        tests(
            of: "ConsoleHub",
            dependencies: ["CLinux", "TestSupport", "LogModel", "LogStore", "Capture", "SystemIO", "RotatingFile"]
        ),
        tests(
            of: "VirtLogManager",
            dependencies: [
                "CLinux", "TestSupport", "Libvirt", "LogModel", "LogStore", "Capture", "SystemIO", "RotatingFile",
            ]
        ),
        tests(of: "Libvirt", dependencies: ["TestSupport", "LogModel", "SystemIO"]),
        tests(
            of: "RuntimeSources",
            dependencies: [
                "TestSupport", "LogModel", "LogStore", "TextFormats", "SystemIO", "RotatingFile", "Capture",
                "Transforms", "Gzip",
            ]
        ),
        tests(of: "Transforms", dependencies: ["TestSupport", "LogModel", "TextFormats"]),
        tests(of: "KubeVirt", dependencies: ["LogModel"]),
        tests(of: "Kubernetes", dependencies: ["TestSupport", "TestServers", "LogModel", "SystemIO", "HTTPClient"]),
        tests(of: "TextFormats", dependencies: ["TestSupport", "LogModel"]),
        tests(of: "GuestChannel", dependencies: ["TestSupport", "LogModel"]),
        tests(
            of: "GuestCollector",
            dependencies: ["TestSupport", "LogModel", "LogStore", "Capture", "SystemIO", "TextFormats", "GuestChannel"]
        ),
        tests(of: "Query", dependencies: ["TestSupport", "LogModel", "LogStore", "SystemIO", "TextFormats"]),
        tests(
            of: "HTTPClient",
            dependencies: [
                "TestSupport", "TestServers", "Gzip", "SystemIO", .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ] + client
        ),
        tests(
            of: "Outputs",
            dependencies: [
                "TestSupport", "TestServers", "LogModel", "LogStore", "TextFormats", "SystemIO", "Query", "Gzip",
                "HTTPClient",
            ] + client
        ),
        tests(of: "LogStore", dependencies: ["TestSupport", "LogModel", "SystemIO"]),
        .testTarget(
            name: "GuestlogTests",
            dependencies: [
                "guestlog", "CLinux", "TestSupport", "TestTraits", "SystemIO", "LogModel", "LogStore", "TextFormats",
                "KubeVirt", "HTTPAPI", "Kubernetes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "GuestlogAgentTests",
            dependencies: [
                "guestlog-agent", "TestSupport", "TestTraits", "LogModel", "SystemIO", "GuestChannel",
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "TestSupport", "CLinux", "LogModel", "LogStore", "SystemIO", "Libvirt", "GuestlogService",
                "guestlog", "RecordFeeder", "RotatingFile", "virt-tail", "guestlog-agent", "TestServers",
            ],
            exclude: ["Clients"],
            swiftSettings: settings
        ),
    ]
)
