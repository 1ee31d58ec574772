// swift-tools-version: 6.0

import PackageDescription

// The Rust library: on Apple platforms an XCFramework beside this file; on Linux, and in the tests of
// this repository, a library on the linker's search path.
#if os(Linux)
    let isPacked = false
#else
    let isPacked = Context.environment["REGRANT_LIBRARY"] != "search-path"
#endif
let native: Target =
    isPacked
    ? .binaryTarget(name: "RegrantFFI", path: "RegrantFFI.xcframework")
    : .systemLibrary(name: "RegrantFFI")

let current: [SwiftSetting] = [.swiftLanguageMode(.v6)]

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
        // Compiled like a current app: values shared between tasks must be `Sendable`.
        .testTarget(name: "RegrantTests", dependencies: ["Regrant"], swiftSettings: current),
        .testTarget(
            name: "RegrantEndToEndTests", dependencies: ["Regrant", "KilledApp", "regrant-sample"],
            swiftSettings: current),
        .executableTarget(
            name: "KilledApp", dependencies: ["Regrant"], path: "Tests/KilledApp",
            swiftSettings: current),
        .executableTarget(
            name: "regrant-sample", dependencies: ["Regrant"], path: "Sample", swiftSettings: current),
    ],
    // The generated asynchronous functions crash the Swift 6.0 compiler in language mode 6. The app's
    // own mode does not matter.
    swiftLanguageModes: [.v5]
)
