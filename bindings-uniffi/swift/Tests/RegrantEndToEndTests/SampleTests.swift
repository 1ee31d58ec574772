import Foundation
import XCTest

/// The sample does what the README says.
final class SampleTests: FolderTestCase {
    func testSignsUpCallsAndSignsOut() async throws {
        let proxy = try await FaultProxy.open()
        let environment = [
            "REGRANT_SERVER": proxy.url.absoluteString, "REGRANT_SAMPLE_FILE": path(folder),
        ]
        func sample(_ arguments: String...) async throws -> (status: Int32, output: String) {
            let end = try await Program.run(
                "regrant-sample", arguments, environment: environment, input: "correct horse\n")
            return (end.status, end.output)
        }
        let email = "sample-\(proxy.url.port ?? 0)@example.org"

        var end = try await sample("me")
        XCTAssertEqual(end.status, 1)
        XCTAssertTrue(end.output.contains("Sign in."), end.output)

        end = try await sample("sign-up", email)
        XCTAssertEqual(end.status, 0, end.output)
        XCTAssertTrue(end.output.contains("signed in"), end.output)

        try await proxy.untilExpired()
        end = try await sample("me")
        XCTAssertEqual(end.status, 0, end.output)
        XCTAssertTrue(end.output.contains("200 ") && end.output.contains(email), end.output)

        end = try await sample("sign-out")
        XCTAssertEqual(end.status, 0, end.output)
        XCTAssertFalse(FileManager.default.fileExists(atPath: path(folder)))
        end = try await sample("me")
        XCTAssertEqual(end.status, 1, end.output)

        end = try await sample("sign-in", email)
        XCTAssertEqual(end.status, 0, end.output)
        end = try await sample("dance")
        XCTAssertTrue(end.output.contains("usage:"), end.output)
    }
}
