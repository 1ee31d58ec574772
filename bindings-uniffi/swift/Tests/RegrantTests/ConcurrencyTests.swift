import XCTest

import Regrant

final class ConcurrencyTests: XCTestCase {
    func testOneVerifierServesManyTasks() async throws {
        let (count, rounds) = (64, 50)
        let verifier = try verifier()
        let subjects = try await withThrowingTaskGroup(of: (Int, [String]).self) { group in
            for number in 0..<count {
                group.addTask {
                    let good = hs256(#"{"sub":"사용자-\#(number)","exp":1700000900}"#)
                    let forged = String(good.dropLast(4) + "AAAA")
                    return (
                        number,
                        try (0..<rounds).map { _ in
                            let refusal = try refusal { try verifier.verify(token: forged) }
                            XCTAssertEqual(refusal.code, "ERR_SIGNATURE_INVALID")
                            return try verifier.verify(token: good).subject
                        }
                    )
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        XCTAssertEqual(subjects.count, count)
        for (number, subjects) in subjects {
            XCTAssertEqual(subjects, Array(repeating: "사용자-\(number)", count: rounds))
        }
    }

    /// Compiles only if the types that an app shares between tasks are `Sendable`.
    func testSharedTypesAreSendable() {
        func sendable<T: Sendable>(_: T.Type) -> Bool { true }
        XCTAssertTrue(sendable(AccessVerifier.self))
        XCTAssertTrue(sendable(AccessClaims.self))
        XCTAssertTrue(sendable(DecodedToken.self))
        XCTAssertTrue(sendable(VerificationKey.self))
        XCTAssertTrue(sendable(AccessPolicy.self))
        XCTAssertTrue(sendable(RegrantError.self))
        XCTAssertTrue(sendable(ErrorInfo.self))
        XCTAssertTrue(sendable(Session.self))
        XCTAssertTrue(sendable(SessionConfig.self))
        XCTAssertTrue(sendable(SessionState.self))
        XCTAssertTrue(sendable(TokenPair.self))
        XCTAssertTrue(sendable(FileStorage.self))
        XCTAssertTrue(sendable(URLSessionTransport.self))
    }
}
