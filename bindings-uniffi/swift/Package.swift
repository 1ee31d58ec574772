// swift-tools-version: 6.0

import Foundation
import PackageDescription

/// The library in Rust: an XCFramework that lies beside this file, for the platforms of Apple, or
/// else the header and module map of a library that the linker is told where to find.
let framework = "RegrantFFI.xcframework"
let isPacked = FileManager.default.fileExists(atPath: Context.packageDirectory + "/" + framework)
let native: Target =
    isPacked
    ? .binaryTarget(name: "RegrantFFI", path: framework)
    : .systemLibrary(name: "RegrantFFI")

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
        .testTarget(
            name: "RegrantTests",
            dependencies: ["Regrant"],
            swiftSettings: [.swiftLanguageMode(.v6)]
        ),
    ],
    // Generated sources with asynchronous functions crash the compiler of Swift 6.0 in its own
    // mode. That of the app does not matter.
    swiftLanguageModes: [.v5]
)
