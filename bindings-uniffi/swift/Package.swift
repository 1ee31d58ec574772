// swift-tools-version: 6.0

import PackageDescription

// The library in Rust. For the platforms of Apple it lies beside this file as an XCFramework; on
// Linux, and where this repository is tested, the linker is told where to find it.
#if os(Linux)
    let isPacked = false
#else
    let isPacked = Context.environment["REGRANT_LIBRARY"] != "search-path"
#endif
let native: Target =
    isPacked
    ? .binaryTarget(name: "RegrantFFI", path: "RegrantFFI.xcframework")
    : .systemLibrary(name: "RegrantFFI")

let today: [SwiftSetting] = [.swiftLanguageMode(.v6)]

let package = Package(
    name: "regrant",
    platforms: [.iOS(.v13), .macOS(.v10_15), .tvOS(.v13), .watchOS(.v6)],
    products: [.library(name: "Regrant", targets: ["Regrant"])],
    targets: [
        native,
        .target(
            name: "Regrant",
            dependencies: ["RegrantFFI"],
            linkerSettings: isPacked ? [] : [.linkedLibrary("regrant_uniffi")]
        ),
        // As an app of today is compiled: what it shares between tasks must be `Sendable`.
        .testTarget(name: "RegrantTests", dependencies: ["Regrant"], swiftSettings: today),
        .testTarget(
            name: "RegrantEndToEndTests", dependencies: ["Regrant", "KilledApp", "regrant-sample"],
            swiftSettings: today),
        .executableTarget(
            name: "KilledApp", dependencies: ["Regrant"], path: "Tests/KilledApp",
            swiftSettings: today),
        .executableTarget(
            name: "regrant-sample", dependencies: ["Regrant"], path: "Sample", swiftSettings: today),
    ],
    // Generated sources with asynchronous functions crash the compiler of Swift 6.0 in its own
    // mode. That of the app does not matter.
    swiftLanguageModes: [.v5]
)
