// swift-tools-version: 6.0

import PackageDescription

// Compiles and tests `Keychain.swift` on Linux, against fakes of Apple's frameworks and of the generated
// binding.
let package = Package(
    name: "keychain",
    targets: [
        .target(name: "Security"),
        .target(name: "CryptoKit"),
        .target(name: "Regrant", dependencies: ["Security", "CryptoKit"]),
        .testTarget(name: "KeychainTests", dependencies: ["Regrant", "Security", "CryptoKit"]),
    ],
    swiftLanguageModes: [.v5]
)
