import Foundation

/// A finished run of a program that SwiftPM built beside the tests.
struct Program {
    let reason: Process.TerminationReason
    let status: Int32
    let output: String

    /// SwiftPM's output folder.
    private static var products: URL {
        #if os(macOS)
            let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
            return (tests ?? .main).bundleURL.deletingLastPathComponent()
        #else
            return Bundle.main.bundleURL
        #endif
    }

    static func run(
        _ name: String, _ arguments: [String], environment: [String: String] = [:], input: String = ""
    ) async throws -> Program {
        let process = Process()
        process.executableURL = products.appendingPathComponent(name)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let (stdin, stdout) = (Pipe(), Pipe())
        process.standardInput = stdin
        process.standardOutput = stdout
        process.standardError = stdout
        let ended: Process = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0) }
            do { try process.run() } catch { return continuation.resume(throwing: error) }
            // The input fits into the pipe's buffer.
            try? stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try? stdin.fileHandleForWriting.close()
        }
        let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
        return Program(
            reason: ended.terminationReason, status: ended.terminationStatus,
            output: String(decoding: output, as: UTF8.self))
    }
}
